"""`hpp shard`: the samples that training reads, with a card that says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from pipeline.params import Dataset
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, sha256_of
from pipeline.shards.step import ShardReport
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.samples import samples_step
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet
from stages.context import Context, pass_context
from stages.data_stage import run_data_stage
from stages.exclusive import exclusive


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def shard(context: Context, dataset: str) -> None:
    """Join crops, masks, edges and joints of DATASET into train/val/test shards."""
    params, section, paths = context.params, context.params.dataset(dataset), context.paths
    rules = params.heatmaps
    folders = [paths.stage(name, dataset) for name in ("crops", "edges", "pose", "heatmaps")]
    shards = stage_inputs(folders, section.splits)
    drawn = Manifest.read(folders[1] / section.splits[0]).parameters
    step = samples_step(
        (rules.size[0] * rules.stride, rules.size[1] * rules.stride),
        params.shards.row_group,
        {key: value for key, value in drawn.items() if key != "row_group"},
    )
    keypoint_set = Manifest.read(folders[2] / section.splits[0]).keypoints

    def links(split: str) -> dict[str, dict[str, str]]:
        """From data/shards/<dataset>/<split> to data/heatmaps/<dataset>/<split>."""
        path = Path("..", "..", "..", "heatmaps", dataset, split).as_posix()
        return {"heatmaps": {"path": path, "sha256": sha256_of(folders[3] / split / MANIFEST_NAME)}}

    def card(reports: Mapping[str, ShardReport]) -> str:
        return _card(dataset, section, keypoint_set, reports)

    reports = run_data_stage(
        context,
        dataset,
        section,
        step,
        shards,
        out="shards",
        kind="samples",
        keypoint_set=keypoint_set,
        links=links,
        card=card,
    )
    out = paths.stage("shards", dataset)
    figures = {split: _figures(report, section.parts, out / split) for split, report in reports.items()}
    context.write_metrics("shard", dataset, figures)
    told = ", ".join(f"{report.records} {split} samples" for split, report in reports.items())
    context.say(f"shard {dataset}: {told}")


def _figures(report: ShardReport, parts: LabelSet, folder: Path) -> dict[str, object]:
    pixels = sum(count for key, count in report.counts.items() if key.startswith("class "))
    shares = {
        name: report.counts[f"class {index}"] / pixels if pixels else 0.0 for index, name in enumerate(parts.part_names)
    }
    return {
        "samples": report.records,
        "bytes": sum(path.stat().st_size for path in sorted(folder.glob("*.parquet"))),
        "ignored_share": report.counts[f"class {IGNORE}"] / pixels if pixels else 0.0,
        "class_share": shares,
    }


def _card(dataset: str, section: Dataset, keypoints: KeypointSet | None, reports: Mapping[str, ShardReport]) -> str:
    """The data set's card, in Markdown."""
    rows = "\n".join(f"| {split} | {report.records} |" for split, report in reports.items())
    return (
        f"# {dataset}\n\n"
        f"Person crops with part masks, edge maps and joints, in the layout of {section.layout}; label set "
        f"`{section.parts.name}`, keypoint set `{keypoints.name if keypoints else None}`.\n\n"
        f"| split | samples |\n|---|---|\n{rows}\n\n"
        "Read them with `pipeline.shards.open_shards`, or as plain parquet files; masks, person ids and edges are PNG bytes, "
        "keypoints are x, y, v in crop pixels with v as in COCO.\n"
    )
