"""`hpp sample`: draw a sample set in a data set's own layout."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.datasets.sample.archives import write_archives
from pipeline.errors import ParamsError
from pipeline.execution import worker_count
from stages.context import Context, pass_context

SAMPLE_LAYOUTS = ("lip", "cihp", "atr", "pascal", "coco")


@click.command()
@click.argument("dataset", type=click.Choice(SAMPLE_LAYOUTS))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the archives.")
@click.option("--images", type=click.IntRange(min=1), default=100, show_default=True, help="Images in all.")
@click.option("--val-share", type=click.FloatRange(0, 1), default=0.2, show_default=True, help="Share of them in val.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, other people.")
@pass_context
def sample(context: Context, dataset: str, out: Path, images: int, val_share: float, seed: int) -> None:
    """Draw people in the exact layout of DATASET: archives, masks, joints, list files."""
    if out.exists() and any(out.iterdir()):
        raise ParamsError(f"--out {out}: the folder is not empty. Name a new one")
    out.mkdir(parents=True, exist_ok=True)
    val = round(images * val_share)
    counts = {"train": images - val, "val": val}
    with context.counted_progress(f"sample {dataset}", "images") as progress:
        files = write_archives(dataset, out, counts, seed, worker_count(0), lambda done: progress(done, images))
    for file in files:
        context.say(f"{file} ({file.stat().st_size / 1e6:.1f} MB)")
