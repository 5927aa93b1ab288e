"""`hpp edges`: the borders between parts."""

from __future__ import annotations

import click

from pipeline.steps.edges import edges_step
from pipeline.steps.inputs import stage_inputs
from stages.context import Context, pass_context
from stages.data_stage import mean, run_data_stage
from stages.exclusive import exclusive


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def edges(context: Context, dataset: str) -> None:
    """Derive edge maps from the part masks of DATASET."""
    params, section = context.params, context.params.dataset(dataset)
    step = edges_step(params.edges.width, params.edges.between_people, params.shards.row_group)
    shards = stage_inputs([context.paths.stage("crops", dataset)], section.splits)
    reports = run_data_stage(context, dataset, section, step, shards, out="edges", kind="edges", keypoint_set=None)
    context.write_metrics(
        "edges",
        dataset,
        {
            split: {
                "masks": report.counts["masks"],
                "edge_pixels_per_mask": mean(report.counts["edge_pixels"], report.counts["masks"]),
                "edge_share": mean(report.counts["edge_pixels"], report.counts["pixels"]),
            }
            for split, report in reports.items()
        },
    )
    context.say(f"edges {dataset}: {sum(report.counts['masks'] for report in reports.values())} edge maps")
