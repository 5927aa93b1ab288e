"""`hpp pose`: joints of every crop, annotated or by the pose teacher."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from pipeline.execution import NO_FILES, Files
from pipeline.pose.base import PoseSettings
from pipeline.pose.loading import load_estimator
from pipeline.shards.read import open_shards
from pipeline.shards.step import ShardReport
from pipeline.steps.estimating import RawJoints
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.keypoints_json import FILE_NAME, write_keypoints_json
from pipeline.steps.pose import ANNOTATED, annotated_pose_step, pseudo_pose_step
from pipeline.taxonomy import keypoint_set
from stages.context import Context, pass_context
from stages.data_stage import mean, run_data_stage
from stages.exclusive import exclusive
from trainer.teachers.judge_crops import judge_on_crops


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def pose(context: Context, dataset: str) -> None:
    """Label the joints of DATASET's people; annotated ones pass through and judge the teacher."""
    params, section = context.params, context.params.dataset(dataset)
    crops = context.paths.stage("crops", dataset)
    settings = PoseSettings(params.pose.flip, params.pose.decoding)
    weights = context.paths.model("pose.safetensors")
    load = partial(load_estimator, weights, settings)
    estimator = load()
    raw_joints = RawJoints(estimator, context.paths.scratch, load)
    annotated = section.keypoints
    files = NO_FILES
    if annotated is not None:
        step = annotated_pose_step(len(annotated), params.shards.row_group)
    else:
        step = pseudo_pose_step(raw_joints, params.pose.min_confidence, params.shards.row_group)
        files = Files(shared=(weights,), kept=(raw_joints.folder,))
    joints = annotated or keypoint_set(estimator.keypoint_set)

    def write_json(split: str, folder: Path) -> None:
        info = {"dataset": dataset, "split": split, "keypoint_set": joints.name, "joints": step.parameters["origin"]}
        images = context.paths.stage("ingest", dataset) / split
        write_keypoints_json(folder / FILE_NAME, images, crops / split, folder, joints, info)

    shards = stage_inputs([crops], section.splits)
    reports = run_data_stage(
        context, dataset, section, step, shards, out="pose", kind="pose", keypoint_set=joints, finish=write_json,
        files=files,
    )  # fmt: skip
    figures = {split: _figures(report) for split, report in reports.items()}
    if annotated is not None:
        split = "val" if "val" in section.splits else section.splits[-1]
        judged = judge_on_crops(open_shards(crops / split), raw_joints, annotated, params.pose.judge)
        if judged is not None:
            figures["teacher"] = {"split": split, **judged}
            context.say(f"pose {dataset}: the teacher on {judged['people']:.0f} annotated people: {_told(judged)}")
    context.write_metrics("pose", dataset, figures)
    told = ", ".join(f"{report.records} {split} people" for split, report in reports.items())
    context.say(f"pose {dataset}: joints of {told} ({ANNOTATED if annotated else 'by the teacher'})")


def _told(judged: dict[str, float]) -> str:
    return f"OKS AP {100 * judged['oks_ap']:.1f}" if "oks_ap" in judged else f"PCKh@0.5 {judged['pckh']:.1f}"


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
