"""What the report is made from: parameters, and what the stages before it have written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DataError
from pipeline.params import Params
from pipeline.shards.read import Shards, open_shards


@dataclass(frozen=True)
class ReportInputs:
    """Where the report reads.

    Attributes:
        params: the sections seed, datasets, train and evaluate are shown.
        shards: folder of <dataset>/<split>; their manifests lead to the heatmaps.
        metrics: folder of <stage>.json and <stage>/<dataset>.json.
        train_plots, evaluate_plots: what train and evaluate drew, as DVCLive lays it out.
        predictions: folder of evaluate's parquet shards.
    """

    params: Params
    shards: Path
    metrics: Path
    train_plots: Path
    evaluate_plots: Path
    predictions: Path

    def metric(self, stage: str, dataset: str | None = None) -> dict[str, Any]:
        """What a stage measured.

        Raises:
            DataError: its file is missing or no JSON.
        """
        path = self.metrics / f"{stage}.json" if dataset is None else self.metrics / stage / f"{dataset}.json"
        command = f"hpp {stage.replace('_', '-')}" + (f" {dataset}" if dataset else "")
        try:
            content = json.loads(read_input(path, command))
        except ValueError as error:
            raise DataError(f"{path}: no readable JSON ({error}). Run `{command}` again") from error
        if not isinstance(content, dict):
            raise DataError(f"{path}: holds {type(content).__name__}, expected an object. Run `{command}` again")
        return content

    def splits(self) -> Iterator[tuple[str, str, Shards]]:
        """Data set, split and shards, of every parsing data set in the order of params.yaml.

        Raises:
            DataError: shards are missing.
        """
        for dataset, section in self.params.datasets.items():
            for split in section.splits:
                folder = self.shards / dataset / split
                if not folder.is_dir():
                    raise DataError(f"{folder}: not found. Run `hpp shard {dataset}` or `dvc repro` first")
                yield dataset, split, open_shards(folder)


def read_input(path: Path, command: str) -> bytes:
    """A file's bytes.

    Raises:
        DataError: there is no such file; the message says which command makes it.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found. Run `{command}` or `dvc repro` first") from error
