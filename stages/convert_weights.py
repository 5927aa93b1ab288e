"""`hpp convert-weights`: the authors' published checkpoints as model files."""

from __future__ import annotations

from pathlib import Path

import click

from stages.context import Context, pass_context
from trainer.convert import SOURCES
from trainer.convert import convert_weights as convert


@click.command()
@click.argument("file", metavar="IN", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "source", type=click.Choice(list(SOURCES)), required=True, help="Whose code wrote IN.")
@click.option("--label-set", default="lip", show_default=True, help="What its classes are.")
@click.option("--keypoint-set", default="lip16", show_default=True, help="What its joints are.")
@pass_context
def convert_weights(context: Context, file: Path, out: Path, source: str, label_set: str, keypoint_set: str) -> None:
    """Write the authors' checkpoint IN as the model file OUT, which `hpp evaluate` and `hpp predict` take."""
    model = convert(source, file, out, label_set, keypoint_set)
    context.say(f"convert-weights: {out} is a {model} for {label_set} and {keypoint_set}")
