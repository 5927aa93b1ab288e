"""`hpp label`: bare photos in, labels by machine out, in the pipeline's own shards."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from pipeline.errors import ParamsError
from pipeline.execution import LocalPool
from pipeline.images import encode_png
from pipeline.shards.read import open_shards
from pipeline.shards.step import ShardReport
from stages.context import Context, pass_context
from stages.photos import load_parser, tell_rejects
from stages.show import draw_sheet
from trainer.photos.finding import find_photos
from trainer.photos.labelling import LABELLED, LabelRules, label_photos, label_step
from trainer.photos.parser import Parser

ABOUT, PREVIEW = "label.json", "preview.png"
_SHOWN = 12
"""People in the preview."""


@click.command()
@click.argument("inputs", metavar="DIR...", nargs=-1, required=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Model file; by default models/parser.pt.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="A new folder; data/shards/NAME to train on."
)
@pass_context
def label(context: Context, inputs: tuple[str, ...], weights: Path | None, out: Path) -> None:
    """Label the people of bare photos: crops, part masks, edges, joints and heatmaps, as the pipeline's shards.

    Folders, files or quoted patterns. Goes on past photos that cannot be used, lists them at the end, and then exits with 2.
    """
    _claim(out)
    found = find_photos(inputs, out)
    params, parser = context.params, load_parser(context, weights)
    rules = LabelRules(params.pose.min_confidence, params.edges, params.heatmaps, params.shards)
    about = json.dumps(dict(label_step(parser, out.name, rules).parameters), indent=1, sort_keys=True) + "\n"

    def finish(folder: Path, report: ShardReport) -> None:
        (folder / ABOUT).write_text(about, encoding="utf-8")
        (folder / "README.md").write_text(_card(parser, out.name, report), encoding="utf-8")
        shards = open_shards(folder / LABELLED)
        if len(shards):
            chosen = np.linspace(0, len(shards) - 1, min(_SHOWN, len(shards))).round().astype(int).tolist()
            (folder / PREVIEW).write_bytes(encode_png(draw_sheet(shards, chosen)))

    # The networks run here and photos lie anywhere, so there is little to send to machines without this folder.
    engine = context.engine if params.executor.storage is None else LocalPool(context.workers)
    with context.progress("label", len(found.photos), "photos") as progress:
        report = label_photos(
            parser, found.photos, rules, out, context.paths.scratch,
            engine=engine, finish=finish, progress=progress,
        )  # fmt: skip
    context.say(f"{out}: {report.records} people of {report.counts['photos']:.0f} photos")
    for outcome in report.outcomes:
        context.say(f"no label: {outcome.sample_id}: {outcome.reason}")
    tell_rejects(report.rejects, len(found.photos), f"The others are in {out}")


def _claim(out: Path) -> None:
    """Make sure that nothing foreign is replaced."""
    if out.exists() and not (out / ABOUT).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise ParamsError(f"--out {out}: holds files, and no {ABOUT} of a run before. Give a new or empty folder")


def _card(parser: Parser, name: str, report: ShardReport) -> str:
    """The data set's card, in Markdown."""
    return (
        f"# {name}\n\n"
        "**Labels by machine.** Nobody has looked at them: part masks and person ids are what a parser says, joints what a "
        "network sees. Use them to learn from, or correct them; do not judge a model by them (the split val is empty for "
        "that reason).\n\n"
        f"| what | by |\n|---|---|\n"
        f"| people | `{parser.detector.teacher_id}` |\n"
        f"| part masks, edges | `{parser.model_id}`, label set `{parser.label_set.name}` |\n"
        f"| joints, heatmaps | `{parser.joints_by}`, keypoint set `{parser.keypoint_set.name}` |\n\n"
        f"{report.records} people of {report.counts['photos']:.0f} photos. `train/outcomes.jsonl` tells who was left out and "
        f"why, `train/rejects.jsonl` which photos could not be used, `{PREVIEW}` shows some.\n\n"
        "Read them with `pipeline.shards.open_shards`, or as plain parquet files. A sample's `provenance` names the networks "
        "(`people`, `mask`), its `keypoint_origin` who saw each joint.\n"
    )
