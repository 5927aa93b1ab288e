"""`hpp check`: a source looked through without writing labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pipeline.datasets.registry import LAYOUTS
from pipeline.execution import Files
from pipeline.quality.verdict import Line, refuse, summary, table
from pipeline.quality.whole_set import check_set, listed_images
from pipeline.shards.step import Finding, ShardInput, ShardReport
from pipeline.shards.write import replace_file
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import CheckWork, check_keypoint_set, chunk_reader, ingest_shards, source_files
from stages.context import Context, pass_context
from stages.exclusive import exclusive
from stages.quality import reader_options, record_rules, set_rules, verdict


@click.command()
@click.argument("dataset")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder for check.json, rejects.jsonl and outcomes.jsonl; by default data/check/DATASET.",
)
@pass_context
@exclusive
def check(context: Context, dataset: str, out: Path | None) -> None:
    """Look through the archives of DATASET in data/raw: files, ids, sizes, joints, sides, duplicates, counts."""
    params, section = context.params, context.params.dataset(dataset)
    raw, scratch = context.paths.stage("raw", dataset), context.paths.scratch
    layout, options = LAYOUTS[section.layout], reader_options(section, params.seed)
    check_keypoint_set(layout, section.keypoints)
    reader = chunk_reader(
        raw, dataset, section.parts, section.layout, scratch, section.keypoints, record_rules(params, dataset)
    )
    archives = Archives(raw, scratch, params.archives)
    shards = ingest_shards(archives, section.layout, section.splits, params.shards.records_per_shard, options)
    account = {} if layout.account is None else layout.account(archives, options)
    del archives  # and with it the list of all files
    files = source_files(raw, scratch)
    reports = _look_through(context, dataset, CheckWork(reader), shards, section.splits, files)
    found = check_set(reports, set_rules(params, dataset, layout, account))
    lines = verdict(params, dataset, reports, found)
    folder = out or context.paths.stage("check", dataset)
    _write(folder, dataset, reports, found, lines, {"published": dict(layout.published), "source": account})
    counts = ", ".join(f"{listed_images(report)} {split} images" for split, report in reports.items())
    context.say(f"check {dataset}: {counts}; lists in {folder}\n{table(lines)}")
    refuse(lines, "check", f"; all findings stand in {folder}")


def _look_through(
    context: Context,
    dataset: str,
    work: CheckWork,
    shards: Sequence[ShardInput],
    splits: Iterable[str],
    files: Files,
) -> dict[str, ShardReport]:
    """Split -> what became of its images; nothing but the reports is held."""
    reports = {split: ShardReport() for split in splits}
    with context.progress(f"check {dataset}", sum(shard.inputs.count for shard in shards), "images") as progress:
        for shard, report in zip(shards, context.engine.run_tasks(work, shards, files=files), strict=True):
            reports[shard.split].add(report)
            progress(shard.inputs.count)
    return reports


def _write(
    folder: Path,
    dataset: str,
    reports: Mapping[str, ShardReport],
    found: Mapping[str, list[Finding]],
    lines: Sequence[Line],
    about: Mapping[str, Any],
) -> None:
    """check.json, and a line per finding: rejects.jsonl (left out by ingest) and outcomes.jsonl (kept)."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "dataset": dataset,
        "passes": all(line.passes for line in lines if line.found),
        "splits": {
            split: {"images": listed_images(report), "usable": report.records, "people": report.counts["people"]}
            for split, report in reports.items()
        },
        "checks": summary(lines),
        **about,
    }
    replace_file(folder / "check.json", (json.dumps(content, indent=2) + "\n").encode())
    kinds = {
        "rejects": [(split, report.rejects) for split, report in reports.items()],
        "outcomes": [(split, [*report.outcomes, *found[split]]) for split, report in reports.items()],
    }
    for kind, findings in kinds.items():
        text = "".join(
            json.dumps({"sample_id": one.sample_id, "split": split, "check": one.check, "reason": one.reason}) + "\n"
            for split, own in findings
            for one in own
        )
        replace_file(folder / f"{kind}.jsonl", text.encode())
