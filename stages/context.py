"""What every command shares: checked parameters, paths, progress, and how metrics are written."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from pipeline.execution import Engine, LocalPool, worker_count
from pipeline.execution.cluster import RayCluster
from pipeline.execution.courier import Courier
from pipeline.execution.storage import Storage
from pipeline.params import Params, load_params
from stages.paths import Paths


@dataclass(frozen=True)
class Context:
    """The global options of `hpp`."""

    params_file: Path
    overrides: tuple[str, ...]
    root: Path
    bars: bool
    quiet: bool

    @cached_property
    def params(self) -> Params:
        """params.yaml with `--set` applied, read when first asked for."""
        return load_params(self.params_file, self.overrides)

    @cached_property
    def paths(self) -> Paths:
        """Where things lie."""
        return Paths(self.root)

    @property
    def workers(self) -> int:
        """Processes to use."""
        return worker_count(self.params.executor.workers)

    @cached_property
    def engine(self) -> Engine:
        """Where shards are worked on."""
        executor = self.params.executor
        if executor.backend != "ray":
            return LocalPool(self.workers)
        if executor.storage is None:
            return RayCluster(self.workers, executor.address)
        return Courier(RayCluster(self.workers, executor.address, folder_shared=False), Storage(executor.storage))

    def say(self, text: str) -> None:
        """A line for the user."""
        if not self.quiet:
            click.echo(text)

    @contextmanager
    def progress(self, label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
        """Told how much more is done: a bar on a terminal, a plain line at every tenth elsewhere."""
        if self.quiet:
            yield lambda more: None
        elif self.bars:
            in_bytes = unit == "bytes"
            with tqdm(
                total=total or None,
                desc=label,
                unit="B" if in_bytes else f" {unit}",
                unit_scale=in_bytes,
                file=sys.stderr,
            ) as bar:

                def advance(more: int) -> None:
                    bar.update(more)

                yield advance
        else:
            yield _PlainProgress(label, total, unit).advance

    @contextmanager
    def counted_progress(self, label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
        """As `progress`, for work that tells how much is done of how much in all."""
        with ExitStack() as stack:
            advance: Callable[[int], None] | None = None
            before = 0

            def report(done: int, total: int) -> None:
                nonlocal advance, before
                if advance is None:
                    advance = stack.enter_context(self.progress(label, total, unit))
                advance(done - before)
                before = done

            yield report

    def write_metrics(self, stage: str, dataset: str | None, values: Mapping[str, Any]) -> None:
        """The stage's metrics, rounded to four places and in a fixed order, so that differences are differences."""
        from pipeline.shards.write import replace_file  # and with it Arrow, which `hpp --help` does without

        path = self.paths.metrics(stage, dataset)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, (json.dumps(_rounded(values), indent=2, sort_keys=True) + "\n").encode())


class _PlainProgress:
    """A line at every tenth of the way, or at every hundred million where the whole is not known."""

    def __init__(self, label: str, total: int, unit: str) -> None:
        self.label, self.total, self.unit, self.done = label, total, unit, 0

    def advance(self, done: int) -> None:
        before, self.done = self.done, self.done + done
        tenths, whole = (10, self.total) if self.total else (1, 10**8)
        if self.done * tenths // whole > before * tenths // whole:
            click.echo(f"{self.label}: {self.done}/{self.total or '?'} {self.unit}", err=True)


def _rounded(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {str(key): _rounded(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_rounded(value) for value in values]
    return round(values, 4) if isinstance(values, float) else values


pass_context = click.make_pass_decorator(Context)
