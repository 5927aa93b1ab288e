"""`hpp heatmaps`: Gaussian heatmaps of the joints, in npz shards."""

from __future__ import annotations

import click

from pipeline.shards.manifest import Manifest
from pipeline.steps.heatmaps import heatmaps_step
from pipeline.steps.inputs import stage_inputs
from stages.context import Context, pass_context
from stages.data_stage import mean, run_data_stage
from stages.exclusive import exclusive


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def heatmaps(context: Context, dataset: str) -> None:
    """Draw Gaussian heatmaps of DATASET's joints."""
    section, rules = context.params.dataset(dataset), context.params.heatmaps
    step = heatmaps_step(rules.size, rules.stride, rules.sigma, rules.sigma_space, rules.convention, rules.compress)
    poses = context.paths.stage("pose", dataset)
    shards = stage_inputs([context.paths.stage("crops", dataset), poses], section.splits, stem="heatmaps")
    keypoint_set = Manifest.read(poses / section.splits[0]).keypoints
    reports = run_data_stage(
        context, dataset, section, step, shards, out="heatmaps", kind="heatmaps", keypoint_set=keypoint_set
    )
    context.write_metrics(
        "heatmaps",
        dataset,
        {
            split: {"samples": report.records, "drawn_joints_per_sample": mean(report.counts["drawn"], report.records)}
            for split, report in reports.items()
        },
    )
    drawn = sum(report.counts["drawn"] for report in reports.values())
    context.say(
        f"heatmaps {dataset}: {drawn} joints drawn for {sum(report.records for report in reports.values())} people"
    )
