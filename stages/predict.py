"""`hpp predict`: own photos in, everyone's parts and joints out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pipeline.export.coco import categories
from pipeline.shards.write import write_whole
from stages.context import Context, pass_context
from stages.photos import load_parser, tell_rejects
from trainer.photos.finding import find_photos
from trainer.photos.parser import Parser
from trainer.photos.results import ResultFolder
from trainer.photos.run import predict_photos


@click.command()
@click.argument("inputs", metavar="IMAGE_OR_DIR...", nargs=-1, required=True)
@click.option("--weights", type=click.Path(path_type=Path), help="Model file; by default models/parser.pt.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder, or one to go on with.")
@click.option("--detect/--no-detect", default=True, help="Look for people; else every photo is one person's crop.")
@click.option("--int8", is_flag=True, help="Compute in 8 bits, on CPUs: sooner, and a few labels at borders differ.")
@pass_context
def predict(
    context: Context, inputs: tuple[str, ...], weights: Path | None, out: Path, detect: bool, int8: bool
) -> None:
    """Parse the people of photos: files, folders, or quoted patterns such as 'album/**/*.jpg'.

    Writes maps of parts, people and part instances, pictures, and people.json in COCO's form (docs/predict.md). Goes on past
    photos that cannot be used, lists them at the end, and then exits with 2.
    """
    photos = find_photos(inputs, out)
    parser = load_parser(context, weights, detect, int8)
    folder = ResultFolder(out, {"root": str(photos.root), **_about(parser, detect, context.params.pose.min_confidence)})
    with context.counted_progress("predict", "photos") as progress:
        told = predict_photos(
            parser, photos.photos, photos.root, folder, detect, context.params.pose.min_confidence, progress
        )
    counts = folder.finish(categories(parser.label_set, parser.keypoint_set)[:1], f"people parsed by {parser.model_id}")
    rejects = [json.dumps(reject.content(), ensure_ascii=False) + "\n" for reject in told.rejects]
    write_whole(out / "rejects.jsonl", "".join(rejects).encode())
    kept = f", {told.kept} of them done before" if told.kept else ""
    others = f"; {photos.others} files that are no photos passed over" if photos.others else ""
    context.say(f"{out}: {counts['people']} people in {counts['photos']} photos{kept}{others}")
    tell_rejects(told.rejects, len(photos.photos), f"The others are in {out}")


def _about(parser: Parser, detect: bool, least_confidence: float) -> dict[str, Any]:
    """All that decides the files."""
    return {
        "model": parser.model_id,
        "computed_in": parser.computed_in,
        "label_set": parser.label_set.name,
        "part_names": list(parser.label_set.part_names),
        "keypoint_set": parser.keypoint_set.name,
        "keypoint_names": list(parser.keypoint_set.keypoint_names),
        "joints_by": parser.joints_by,
        "people_by": parser.detector.teacher_id if detect else None,
        "rules": json.loads(json.dumps(asdict(parser.rules))),
        "least_confidence": least_confidence,
    }
