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
from pipeline.steps.estimating import VERSION as RAW_VERSION
from pipeline.steps.estimating import RawJoints

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
            rows.append(_row(crop["sample_id"], keypoints, np.where(known, ANNOTATED, ""), known.astype(np.float32)))
            report.counts["annotated"] += int(known.sum())
        report.records = len(rows)
        return parquet_bytes(rows, POSE_SCHEMA, self.row_group), report


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
        return _row(sample_id, keypoints.astype(np.float32), origin, found[:, 2])


def _row(sample_id: str, keypoints: np.ndarray, origin: np.ndarray, confidence: np.ndarray) -> dict[str, Any]:
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
