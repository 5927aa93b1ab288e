"""`hpp pose`: joints of every crop, annotated or by the pose teacher."""

from __future__ import annotations

from typing import Any

import click
import numpy as np

from pipeline.pose.base import PoseSettings
from pipeline.pose.judge import pckh_shared
from pipeline.pose.loading import load_estimator
from pipeline.shards.read import Shards, open_shards
from pipeline.shards.step import ShardReport
from pipeline.steps.estimating import RawJoints
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.pose import annotated_pose_step, pseudo_pose_step
from pipeline.taxonomy import keypoint_set
from stages.context import Context, pass_context
from stages.data_stage import mean, run_data_stage


@click.command()
@click.argument("dataset")
@pass_context
def pose(context: Context, dataset: str) -> None:
    """Label the joints of DATASET's people; annotated ones pass through and judge the teacher."""
    params, section = context.params, context.params.dataset(dataset)
    crops = context.paths.stage("crops", dataset)
    settings = PoseSettings(params.pose.flip, params.pose.decoding)
    estimator = load_estimator(context.paths.model("pose.safetensors"), settings)
    raw_joints = RawJoints(estimator, context.paths.scratch)
    annotated = section.keypoints
    if annotated is not None:
        step = annotated_pose_step(len(annotated), params.shards.row_group)
    else:
        step = pseudo_pose_step(raw_joints, params.pose.min_confidence, params.shards.row_group)
    shards = stage_inputs([crops], section.splits)
    keypoints = annotated or keypoint_set(estimator.keypoint_set)
    reports = run_data_stage(context, dataset, section, step, shards, out="pose", kind="pose", keypoint_set=keypoints)
    figures = {split: _figures(report) for split, report in reports.items()}
    if section.keypoint_set == "lip16" and "val" in section.splits:
        judged = _judge(open_shards(crops / "val"), raw_joints, params.pose.judge)
        figures["teacher"] = {"split": "val", **judged}
        context.say(
            f"pose {dataset}: the teacher on {judged['people']} annotated people: PCKh@0.5 {judged['pckh']:.1f}"
        )
    context.write_metrics("pose", dataset, figures)
    told = ", ".join(f"{report.records} {split} people" for split, report in reports.items())
    context.say(f"pose {dataset}: joints of {told} ({'annotated' if section.keypoint_set else 'by the teacher'})")


def _judge(crops: Shards, raw_joints: RawJoints, most: int) -> dict[str, float]:
    """PCKh of the teacher on the first annotated crops, `most` of them."""
    first = (crops[index] for index in range(min(most, len(crops))))
    judged = (
        (crop.keypoints, crop.decode_image(), np.array([0, 0, crop.width, crop.height], np.float32))
        for crop in first
        if crop.keypoints is not None
    )
    pairs = list(raw_joints.of(judged))
    found, truth = (np.array([pair[side] for pair in pairs], np.float32) for side in (1, 0))
    return pckh_shared(found.reshape(-1, 17, 3), truth.reshape(-1, 16, 3))


def _figures(report: ShardReport) -> dict[str, Any]:
    counts = report.counts
    kept = counts["annotated"] + counts["pseudo"]
    return {
        "people": report.records,
        "annotated_joints": counts["annotated"],
        "pseudo_joints": counts["pseudo"],
        "joints_per_person": mean(kept, report.records),
        "mean_confidence": mean(counts["confidence_sum"], counts["pseudo"] + counts["below_min_confidence"]),
    }
