"""Pose: joints of every crop, annotated ones passed through, the others labelled by the pose teacher."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images import decode_image
from pipeline.pose.crops import box_in_crop
from pipeline.rows import POSE_SCHEMA
from pipeline.shards.raw_outputs import memory_remarks
from pipeline.shards.read import iter_rows
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.annotated_pose import ANNOTATED, VERSION, annotated_pose_step, pose_row
from pipeline.steps.estimating import VERSION as RAW_VERSION
from pipeline.steps.estimating import RawJoints

__all__ = ["ANNOTATED", "VERSION", "annotated_pose_step", "pseudo_pose_step"]


@dataclass(frozen=True)
class PseudoPoseWork:
    """Data sets without joints: the teacher's, each kept where its confidence reaches `min_confidence`."""

    raw_joints: RawJoints
    min_confidence: float
    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's poses."""
        rows, report = [], ShardReport()
        estimator = self.raw_joints.estimator
        before = estimator.halvings
        crops = iter_rows(inputs[0], ["sample_id", "image", "box", "to_source"])
        people = (
            (
                crop["sample_id"],
                decode_image(crop["image"]["bytes"], crop["sample_id"]),
                box_in_crop(crop["box"], crop["to_source"]),
            )
            for crop in crops
        )
        for sample_id, joints in self.raw_joints.of(people):
            rows.append(self._pseudo(sample_id, joints, report))
        report.records = len(rows)
        report.remarks += memory_remarks(estimator.halvings - before)
        return parquet_bytes(rows, POSE_SCHEMA, self.row_group), report

    def _pseudo(self, sample_id: str, found: np.ndarray, report: ShardReport) -> dict[str, Any]:
        """The row of one person; found is (K, 3) x, y, confidence."""
        kept = found[:, 2] >= self.min_confidence
        keypoints = np.where(kept[:, None], np.column_stack([found[:, :2], np.full(len(found), 2)]), 0)
        report.counts["pseudo"] += int(kept.sum())
        report.counts["below_min_confidence"] += int((~kept).sum())
        report.counts["confidence_sum"] += float(found[:, 2].sum())
        origin = np.where(kept, self.raw_joints.estimator.teacher_id, "")
        return pose_row(sample_id, keypoints.astype(np.float32), origin, found[:, 2])


def pseudo_pose_step(raw_joints: RawJoints, min_confidence: float, row_group: int) -> Step:
    """The step for a data set without joints."""
    estimator = raw_joints.estimator
    parameters = {
        "origin": estimator.teacher_id,
        **asdict(estimator.settings),
        "raw_joints": RAW_VERSION,
        "min_confidence": min_confidence,
        "row_group": row_group,
    }
    work = PseudoPoseWork(raw_joints, min_confidence, row_group)
    return Step("pose", VERSION, parameters, "parquet", work, resident=True)
