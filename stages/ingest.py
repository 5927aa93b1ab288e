"""`hpp ingest`: one record per image, read in place from the archives and checked."""

from __future__ import annotations

import click

from pipeline.datasets.registry import LAYOUTS
from pipeline.quality.checks import CHECKS
from pipeline.quality.verdict import Line, refuse
from pipeline.quality.whole_set import check_set, listed_images
from pipeline.shards.step import ShardReport
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import check_keypoint_set, ingest_shards, ingest_step, source_files
from stages.context import Context, pass_context
from stages.data_stage import run_data_stage
from stages.exclusive import exclusive
from stages.quality import reader_options, record_rules, set_rules, verdict


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def ingest(context: Context, dataset: str) -> None:
    """Read the archives of DATASET into records, image, part mask, person ids, joints, and check them."""
    params, section = context.params, context.params.dataset(dataset)
    raw, scratch = context.paths.stage("raw", dataset), context.paths.scratch
    layout, options = LAYOUTS[section.layout], reader_options(section, params.seed)
    check_keypoint_set(layout, section.keypoints)
    step = ingest_step(
        raw, dataset, section.parts, params.shards.row_group, section.layout, scratch, section.keypoints,
        record_rules(params, dataset),
    )  # fmt: skip
    archives = Archives(raw, scratch, params.archives)
    shards = ingest_shards(archives, section.layout, section.splits, params.shards.records_per_shard, options)
    account = {} if layout.account is None else layout.account(archives, options)
    del archives  # and with it the list of all files
    lines: list[Line] = []

    def gate(reports: dict[str, ShardReport]) -> None:
        """The set as a whole, and all limits; what was found goes to the lists, but for shared source images."""
        found = check_set(reports, set_rules(params, dataset, layout, account))
        lines.extend(verdict(params, dataset, reports, found))
        refuse(lines, "ingest", "; nothing was published")
        for split, findings in found.items():
            reports[split].outcomes += [one for one in findings if CHECKS[one.check].listed]

    reports = run_data_stage(
        context, dataset, section, step, shards, out="ingest", kind="images", keypoint_set=section.keypoints, gate=gate,
        files=source_files(raw, scratch),
    )  # fmt: skip
    published = layout.published if section.source != "sample" else {}
    context.write_metrics(
        "ingest",
        dataset,
        {
            split: {
                "images": report.records,
                "rejects": listed_images(report) - report.records,
                **report.counts,
            }
            | ({"published_images": published[split]} if split in published else {})
            for split, report in reports.items()
        }
        | {"findings": {line.check: line.found for line in lines}}
        | ({"source": account} if account else {}),
    )
    told = ", ".join(
        f"{report.records} {split} images with {report.counts['people']} people" for split, report in reports.items()
    )
    remarks = ", ".join(f"{line.found} {line.check}" for line in lines if line.found)
    context.say(f"ingest {dataset}: {told}" + (f"; {remarks}: see `hpp check {dataset}`" if remarks else ""))
