"""Shard: crops, edges and poses joined into the samples that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.geometry.affine import letterbox
from pipeline.images import decode_map, id_counts
from pipeline.rows import SAMPLE_SCHEMA
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import table_bytes
from pipeline.steps.inputs import joined_tables

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
        report = ShardReport()
        crops, edges, pose = joined_tables(inputs[:3], (None, None, None))
        sides = zip(crops["height"].to_pylist(), crops["width"].to_pylist(), strict=True)
        matrices = [letterbox(hw, self.heatmap_input).tolist() for hw in sides]
        # The images and labels stay the buffers that were read.
        new = {name: pose[name] for name in pose.column_names} | {"edge": edges["edge"], "to_heatmap_input": matrices}
        columns = [new.get(name, crops[name]) for name in SAMPLE_SCHEMA.names]
        report.records = len(crops)
        for name, mask in zip(crops["sample_id"].to_pylist(), crops["mask"].to_pylist(), strict=True):
            if mask is not None:
                classes = id_counts(decode_map(mask, f"mask of {name}"))
                report.counts.add({f"class {index}": int(classes[index]) for index in np.flatnonzero(classes)})
        return table_bytes(pa.table(columns, schema=SAMPLE_SCHEMA), self.row_group), report


def samples_step(heatmap_input: tuple[int, int], row_group: int, edges: Mapping[str, Any]) -> Step:
    """The step for one data set; the manifest passes on how its edges were drawn."""
    parameters = {"heatmap_input": list(heatmap_input), "row_group": row_group, "edges": dict(edges)}
    return Step("shard", VERSION, parameters, "parquet", SampleWork(heatmap_input, row_group))
