"""Edges: the part masks' borders, one edge map per crop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from pipeline.images import decode_map, encode_bits
from pipeline.labels.edges import edge_map, people_edge_map
from pipeline.rows import EDGE_SCHEMA
from pipeline.shards.read import iter_rows
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import parquet_bytes
from pipeline.taxonomy import IGNORE

VERSION = 4


@dataclass(frozen=True)
class EdgeWork:
    """Makes the edge maps of one shard of crops.

    Attributes:
        between_people: also mark borders between people who touch in a crop, where it has ids.
    """

    width: int
    between_people: bool
    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's edge maps; None where a crop has no mask."""
        rows, report = [], ShardReport()
        for crop in iter_rows(inputs[0], ["sample_id", "mask", *(["people"] if self.between_people else [])]):
            edge = None
            if crop["mask"] is not None:
                mask = decode_map(crop["mask"], f"mask of {crop['sample_id']}")
                edge = edge_map(mask, self.width, IGNORE)
                if self.between_people and crop["people"] is not None:
                    people = decode_map(crop["people"], f"person ids of {crop['sample_id']}")
                    edge |= people_edge_map(people, mask, self.width, IGNORE)
                report.counts["masks"] += 1
                report.counts["pixels"] += mask.size
                report.counts["edge_pixels"] += cv2.countNonZero(edge)
            rows.append({"sample_id": crop["sample_id"], "edge": None if edge is None else encode_bits(edge)})
        report.records = len(rows)
        return parquet_bytes(rows, EDGE_SCHEMA, self.row_group), report


def edges_step(width: int, between_people: bool, row_group: int) -> Step:
    """The step for one data set."""
    work = EdgeWork(width, between_people, row_group)
    parameters = {"width": width, "between_people": between_people, "row_group": row_group}
    return Step("edges", VERSION, parameters, "parquet", work)
