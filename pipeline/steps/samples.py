"""Shard: crops, edges and poses joined into the samples that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.geometry.affine import letterbox
from pipeline.images import decode_map
from pipeline.rows import SAMPLE_SCHEMA, sample_from_row, sample_row
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.inputs import joined_rows

VERSION = 2


@dataclass(frozen=True)
class SampleWork:
    """Joins one shard's crops, edges and poses.

    Attributes:
        heatmap_input: (height, width) that the heatmaps' letterbox leads to.
    """

    heatmap_input: tuple[int, int]
    row_group: int

    def __call__(self, inputs: tuple[Path, ...]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's samples; inputs are crops, edges, pose and heatmaps, of which the last is pointed at."""
        rows, report = [], ShardReport()
        for crop, edge, pose in joined_rows(inputs[:3], (None, None, None)):
            sample = replace(
                sample_from_row({**crop, **edge, **pose}),
                to_heatmap_input=letterbox((crop["height"], crop["width"]), self.heatmap_input),
            )
            rows.append(sample_row(sample))
            if sample.mask is not None:
                classes = np.bincount(decode_map(sample.mask, f"mask of {sample.sample_id}").ravel(), minlength=256)
                report.counts.add({f"class {index}": int(count) for index, count in enumerate(classes) if count})
        report.records = len(rows)
        return parquet_bytes(rows, SAMPLE_SCHEMA, self.row_group), report


def samples_step(heatmap_input: tuple[int, int], row_group: int, edges: Mapping[str, Any]) -> Step:
    """The step for one data set; the manifest passes on how its edges were drawn."""
    parameters = {"heatmap_input": list(heatmap_input), "row_group": row_group, "edges": dict(edges)}
    return Step("shard", VERSION, parameters, "parquet", SampleWork(heatmap_input, row_group))
