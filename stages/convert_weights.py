"""`hpp convert-weights`: the authors' published checkpoints as files of this project."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipeline.errors import ParamsError
from stages.context import Context, pass_context
from trainer.convert import SOURCES, convert_simple_baseline
from trainer.convert import convert_weights as convert

POSE_SOURCE = "simple-baseline"


@click.command()
@click.argument("file", metavar="IN", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from", "source", type=click.Choice([*SOURCES, POSE_SOURCE]), required=True, help="Whose code wrote IN."
)
@click.option("--label-set", default="lip", show_default=True, help="What its classes are.")
@click.option(
    "--keypoint-set",
    show_default=f"lip16; coco17 with {POSE_SOURCE}",
    help="What its joints are.",
)
@click.option(
    "--input-size", metavar="HxW", show_default="as IN's name says", help=f"Of the crops, with {POSE_SOURCE} only."
)
@pass_context
def convert_weights(
    context: Context,
    file: Path,
    out: Path,
    source: str,
    label_set: str,
    keypoint_set: str | None,
    input_size: str | None,
) -> None:
    """Write the authors' checkpoint IN as the file OUT.

    A parsing model is what `hpp evaluate` and `hpp predict` take, a pose teacher (simple-baseline) is what pose.weights
    takes.
    """
    if source == POSE_SOURCE:
        teacher = convert_simple_baseline(file, out, keypoint_set or "coco17", _size(input_size))
        context.say(f"convert-weights: {out} is a {teacher}; set pose.weights to it")
        return
    if input_size is not None:
        raise ParamsError(f"--input-size {input_size}: goes with --from {POSE_SOURCE}; {source} has a size of its own")
    joints = keypoint_set or "lip16"
    model = convert(source, file, out, label_set, joints)
    context.say(f"convert-weights: {out} is a {model} for {label_set} and {joints}")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if found is None:
        raise ParamsError(f"--input-size {text}: expected height x width, for instance 384x288")
    return int(found[1]), int(found[2])
