"""`hpp ingest`: one record per image, read in place from the archives."""

from __future__ import annotations

import click

from pipeline.datasets.layout import ReaderOptions
from pipeline.datasets.registry import LAYOUTS
from pipeline.params import Dataset
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import check_keypoint_set, ingest_shards, ingest_step
from stages.context import Context, pass_context
from stages.data_stage import run_data_stage


@click.command()
@click.argument("dataset")
@pass_context
def ingest(context: Context, dataset: str) -> None:
    """Read the archives of DATASET into records: image, part mask, person ids, joints."""
    params, section = context.params, context.params.dataset(dataset)
    raw, scratch = context.paths.stage("raw", dataset), context.paths.scratch
    layout, options = LAYOUTS[section.layout], _options(section, params.seed)
    check_keypoint_set(layout, section.keypoints)
    step = ingest_step(raw, dataset, section.parts, params.shards.row_group, section.layout, scratch)
    shards = ingest_shards(raw, section.layout, section.splits, params.shards.records_per_shard, options, scratch)
    reports = run_data_stage(
        context, dataset, section, step, shards, out="ingest", kind="images", keypoint_set=section.keypoints
    )
    published = layout.published if section.source != "sample" else {}
    context.write_metrics(
        "ingest",
        dataset,
        {
            split: {"images": report.records, "rejects": len(report.rejects), **report.counts}
            | ({"published_images": published[split]} if split in published else {})
            for split, report in reports.items()
        }
        | ({} if layout.account is None else {"source": layout.account(Archives(raw, scratch), options)}),
    )
    told = ", ".join(
        f"{report.records} {split} images with {report.counts['people']} people" for split, report in reports.items()
    )
    context.say(f"ingest {dataset}: {told}")


def _options(section: Dataset, seed: int) -> ReaderOptions:
    return ReaderOptions(
        seed=seed,
        splits=section.splits,
        annotations={str(split): file for split, file in section.annotations.items()},
        people=section.people,
        label_set=section.parts,
        num_keypoints=None if section.keypoints is None else len(section.keypoints),
    )
