"""What `evaluate` predicted, sample by sample: scores of all, and the mask of one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.images import decode_map
from pipeline.records import Sample
from pipeline.shards.read import iter_rows
from pipeline.taxonomy import keypoint_set, label_set
from trainer.data.samples import ParsingSamples, split_hash
from trainer.report.inputs import ReportInputs

_GROUPS_KEPT = 16


@dataclass(frozen=True)
class Judged:
    """A prediction's place in the judged split, and its scores in percent; nan where no pixel is judged."""

    index: int
    sample_id: str
    pixel_accuracy: float
    mean_iou: float


class Predictions(Sequence[Judged]):
    """The judged samples in the order of the split, and their masks in the model's label set.

    Attributes:
        samples: what was judged.
    """

    def __init__(self, folder: Path, samples: ParsingSamples) -> None:
        """Read every prediction's scores; masks are read when asked for.

        Raises:
            DataError: the predictions are missing, damaged, or those of other samples.
        """
        self.samples = samples
        self.folder = folder
        self._files = sorted(folder.glob("*.parquet"))
        if not self._files:
            raise DataError(f"{folder}: no predictions there. Run `hpp evaluate` or `dvc repro` first")
        self._judged: list[Judged] = []
        ends = []
        for file in self._files:
            for row in iter_rows(file, ["sample_id", "pixel_accuracy", "mean_iou"]):
                self._judged.append(Judged(len(self._judged), **row))
            ends.append(len(self._judged))
        if len(self._judged) != len(samples):
            raise DataError(
                f"{folder}: {len(self._judged)} predictions for {len(samples)} samples. Run `hpp evaluate` again"
            )
        self._ends = ends
        self._group = lru_cache(maxsize=_GROUPS_KEPT)(self._read_group)

    def __len__(self) -> int:
        return len(self._judged)

    def __getitem__(self, index: int) -> Judged:  # type: ignore[override]  # no slices
        return self._judged[index]

    def worst_first(self) -> list[Judged]:
        """All that have a judged pixel, the lowest mean IoU first."""
        scored = (one for one in self._judged if one.mean_iou == one.mean_iou)
        return sorted(scored, key=lambda one: (one.mean_iou, one.index))

    def require(self, judged: Judged, sample: Sample) -> None:
        """Check that a prediction is of that sample.

        Raises:
            DataError: it is of another one.
        """
        if judged.sample_id != sample.sample_id:
            raise DataError(
                f"{self.folder}: prediction {judged.index} is of {judged.sample_id!r}, the shards have "
                f"{sample.sample_id!r} there. Run `hpp evaluate` again"
            )

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8 ids of the model's label set, of the sample's size.

        Raises:
            DataError: the prediction is damaged.
        """
        file = bisect_right(self._ends, index)
        row = index - (self._ends[file - 1] if file else 0)
        starts = self._starts(file)
        group = bisect_right(starts, row) - 1
        return decode_map(self._group(file, group)[row - starts[group]], f"prediction of {self[index].sample_id}")

    def _starts(self, file: int) -> list[int]:
        with pq.ParquetFile(self._files[file]) as opened:
            sizes = [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
        return [0, *accumulate(sizes)][: len(sizes)]

    def _read_group(self, file: int, group: int) -> list[bytes]:
        try:
            with pq.ParquetFile(self._files[file]) as opened:
                masks: list[bytes] = opened.read_row_group(group, columns=["mask"], use_threads=False)[
                    "mask"
                ].to_pylist()
                return masks
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self._files[file]}: row group {group} is damaged ({error}). Run `hpp evaluate` again") from error  # fmt: skip


def open_predictions(inputs: ReportInputs) -> Predictions:
    """The predictions of the split that metrics/evaluate.json tells of.

    Raises:
        DataError: they are missing, or were made on other shards.
    """
    protocol = inputs.metric("evaluate")["protocol"]
    folders = [inputs.shards / name / protocol["split"] for name in protocol["datasets"]]
    settings = inputs.params.train
    joints = keypoint_set(settings.keypoint_set)
    samples = ParsingSamples(folders, label_set(settings.label_set), joints, settings.label_maps)
    if split_hash(samples) != protocol["split_sha256"]:
        told = ", ".join(map(str, folders))
        raise DataError(f"{told}: not the shards that metrics/evaluate.json was measured on. Run `hpp evaluate` again")
    return Predictions(inputs.predictions, samples)
