"""`hpp export`: a data set's labels in the layout that another tool expects."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.errors import ParamsError
from pipeline.export import FORMATS
from pipeline.export import export as export_samples
from pipeline.shards.read import open_shards
from stages.context import Context, pass_context


@click.command()
@click.argument("dataset")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), required=True, help="Whose layout; docs/export.md.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option(
    "--split",
    "chosen",
    type=click.Choice(["train", "val", "test"]),
    multiple=True,
    help="Only this split; repeatable. By default all.",
)
@pass_context
def export(context: Context, dataset: str, form: str, out: Path, chosen: tuple[str, ...]) -> None:
    """Write DATASET's shards to a folder in the layout that another tool expects."""
    section = context.params.dataset(dataset)
    unknown = [split for split in chosen if split not in section.splits]
    if unknown:
        raise ParamsError(f"--split {unknown[0]}: {dataset} has {', '.join(section.splits)}")
    folder = context.paths.stage("shards", dataset)
    splits = [open_shards(folder / split) for split in section.splits if not chosen or split in chosen]
    total = sum(len(shards) for shards in splits)
    with context.progress(f"export {dataset}", total, "samples") as progress:
        about = export_samples(splits, form, out, progress)
    told = ", ".join(f"{split['samples']} {name}" for name, split in about["splits"].items())
    context.say(f"{out}: {told} samples of {dataset}, layout {form}")
    if anew := about["counts"].get("images_encoded_anew"):
        context.say(f"images encoded anew, upright and in plain RGB: {anew} (docs/export.md)")
