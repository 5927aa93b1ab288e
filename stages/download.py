"""`hpp download`: a source's archives, verified, in data/raw/<dataset>."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from pipeline.datasets.sample.archives import write_archives
from pipeline.params import Dataset
from pipeline.shards.write import replace_folder
from pipeline.sources.download import bring_local, verify
from stages.context import Context, pass_context


@click.command()
@click.argument("dataset")
@pass_context
def download(context: Context, dataset: str) -> None:
    """Bring the archives of DATASET into data/raw/DATASET and verify them."""
    section = context.params.dataset(dataset)
    target = context.paths.stage("raw", dataset)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{dataset}.new-{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        _fill(context, dataset, section, aside)
        files = verify(aside, section.sha256)
        replace_folder(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    context.write_metrics(
        "download",
        dataset,
        {
            "files": len(files),
            "bytes": sum(file.bytes for file in files),
            "archives": {
                file.name: {"bytes": file.bytes, "sha256": file.sha256, "checksum": file.checksum} for file in files
            },
        },
    )
    context.say(f"download {dataset}: {len(files)} archives, {sum(file.bytes for file in files) / 1e6:.1f} MB, whole")


def _fill(context: Context, dataset: str, section: Dataset, folder: Path) -> None:
    if section.source == "sample":
        total = sum(section.images.values())
        with context.counted_progress(f"download {dataset}", "images") as progress:
            write_archives(
                section.layout,
                folder,
                {split: count for split, count in section.images.items()},
                context.params.seed,
                context.workers,
                lambda done: progress(done, total),
            )
        return
    source = Path(section.source).expanduser()
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file()) if source.is_dir() else 0
    with context.progress(f"download {dataset}", size, "bytes") as progress:
        bring_local(source, folder, progress)
