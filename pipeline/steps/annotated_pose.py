"""Pose of data sets with joints: they pass through. Apart from the teacher's, so that workers do without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.rows import POSE_SCHEMA
from pipeline.shards.read import iter_rows
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import parquet_bytes

VERSION = 2
ANNOTATED = "annotated"


@dataclass(frozen=True)
class AnnotatedPoseWork:
    """Data sets with joints: they pass as they are; people without any stay without."""

    num_keypoints: int
    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's poses."""
        rows, report = [], ShardReport()
        for crop in iter_rows(inputs[0], ["sample_id", "keypoints"]):
            keypoints = np.zeros((self.num_keypoints, 3), np.float32)
            if crop["keypoints"] is not None:
                keypoints = np.array(crop["keypoints"], np.float32).reshape(self.num_keypoints, 3)
            known = keypoints[:, 2] > 0
            rows.append(
                pose_row(crop["sample_id"], keypoints, np.where(known, ANNOTATED, ""), known.astype(np.float32))
            )
            report.counts["annotated"] += int(known.sum())
        report.records = len(rows)
        return parquet_bytes(rows, POSE_SCHEMA, self.row_group), report


def pose_row(sample_id: str, keypoints: np.ndarray, origin: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
    """A row of POSE_SCHEMA; keypoints (K, 3), origin and confidence (K,)."""
    return {
        "sample_id": sample_id,
        "keypoints": keypoints.tolist(),
        "keypoint_origin": [str(name) for name in origin],
        "keypoint_confidence": confidence.astype(np.float32).tolist(),
    }


def annotated_pose_step(num_keypoints: int, row_group: int) -> Step:
    """The step for a data set with joints."""
    parameters = {"origin": ANNOTATED, "num_keypoints": num_keypoints, "row_group": row_group}
    return Step("pose", VERSION, parameters, "parquet", AnnotatedPoseWork(num_keypoints, row_group))
