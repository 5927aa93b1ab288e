"""`hpp download`: a source's archives, verified, in data/raw/<dataset>."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from pipeline.datasets.sample.archives import write_archives
from pipeline.params import Dataset
from pipeline.shards.write import remove_leftovers, replace_folder
from pipeline.sources.bring import bring_remote
from pipeline.sources.download import VerifiedFile, bring_local, verify
from pipeline.sources.fetch import Fetcher
from pipeline.sources.lock import SourceLock
from pipeline.sources.plan import Remote, plan_source
from pipeline.sources.registry import load_registry
from pipeline.sources.retry import Patience
from stages.context import Context, pass_context
from stages.exclusive import exclusive
from stages.paths import SOURCES


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def download(context: Context, dataset: str) -> None:
    """Bring the archives of DATASET into data/raw/DATASET and verify them."""
    section = context.params.dataset(dataset)
    target = context.paths.stage("raw", dataset)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    aside = target.with_name(f".{dataset}.new-{os.getpid()}")
    aside.mkdir()
    try:
        files = _fill(context, dataset, section, aside)
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


def _fill(context: Context, dataset: str, section: Dataset, folder: Path) -> list[VerifiedFile]:
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
        return verify(folder, section.sha256)
    plan = plan_source(
        f"{context.params.place(dataset)}.source", section.source, section.layout, section.splits, section.sha256, load_registry(SOURCES)
    )  # fmt: skip
    if isinstance(plan, Remote):
        with _file_progress(context, dataset) as told:
            return bring_remote(plan, _fetcher(context, dataset, plan, told), folder, section.sha256)
    size = sum(path.stat().st_size for path in plan.rglob("*") if path.is_file()) if plan.is_dir() else 0
    with context.progress(f"download {dataset}", size, "bytes") as progress:
        bring_local(plan, folder, progress)
    return verify(folder, section.sha256)


def _fetcher(context: Context, dataset: str, plan: Remote, told: Callable[[str, int, int | None], None]) -> Fetcher:
    patience, scratch = context.params.download, context.paths.scratch
    return Fetcher(
        dataset=dataset,
        store=scratch / "download" / dataset,
        manual=context.paths.stage("manual", dataset),
        lock=SourceLock(context.paths.sources_lock, scratch / "sources.lock"),
        advice=plan.advice,
        patience=Patience(patience.retries, patience.timeout_s, patience.allow_http),
        progress=told,
    )


@contextmanager
def _file_progress(context: Context, dataset: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """A progress line of its own for every file."""
    with ExitStack() as stack:
        lines: dict[str, Callable[[int, int], None]] = {}

        def told(name: str, done: int, total: int | None) -> None:
            if name not in lines:
                label = f"download {dataset} {name}"
                lines[name] = stack.enter_context(context.counted_progress(label, "bytes"))
            lines[name](done, total or 0)

        yield told
