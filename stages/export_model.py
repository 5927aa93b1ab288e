"""`hpp export-model`: a trained parser for other runtimes."""

from __future__ import annotations

from pathlib import Path

import click

from stages.context import Context, pass_context
from trainer.onnx_export import export_onnx


@click.command()
@click.option(
    "--weights", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A model file of `hpp train`."
)
@click.option("--format", "form", type=click.Choice(["onnx"]), required=True, help="Of the file.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
@click.option("--uint8", "from_pixels", is_flag=True, help="The file takes uint8 RGB and normalises it itself.")
@pass_context
def export_model(context: Context, weights: Path, form: str, out: Path, from_pixels: bool) -> None:
    """Write a trained parser as a file for other runtimes: any batch size, height and width as it was trained.

    The outputs are checked against torch's in onnxruntime before the file is put in its place. How to feed it stands in
    its metadata; docs/export-model.md.
    """
    shapes = export_onnx(weights, out, from_pixels)
    outputs = ", ".join(f"{name} (N, {', '.join(map(str, shape))})" for name, shape in shapes.items())
    context.say(f"{out}: gives {outputs}; equal to torch's outputs in onnxruntime")
