"""A command that writes a stage's output runs once at a time in a project."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TypeVar

import click
from filelock import FileLock, Timeout

from pipeline.errors import DataError
from stages.context import Context

Returned = TypeVar("Returned")


def exclusive(command: Callable[..., Returned]) -> Callable[..., Returned]:
    """Let the command begin only where no other process runs it for the same data set; below `pass_context`.

    The lock is the operating system's: it goes with its process, however that ends.
    """

    @functools.wraps(command)
    def alone(context: Context, /, **arguments: object) -> Returned:
        if any(os.environ.get(rank, "0") != "0" for rank in ("RANK", "LOCAL_RANK")):
            return command(context, **arguments)  # the first of several processes of one run holds the lock
        dataset = arguments.get("dataset")
        if isinstance(dataset, str):
            context.params.dataset(dataset)  # an unknown one is refused before anything is written
        asked = [click.get_current_context().info_name, dataset]
        name = " ".join(["hpp", *(str(word) for word in asked if word)])
        folder = context.paths.scratch / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name.replace(' ', '-').replace('/', '-')}.lock"
        holder = file.with_suffix(".pid")
        lock = FileLock(file)
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            known = holder.read_text(encoding="ascii") if holder.is_file() else "unknown"
            raise DataError(
                f"{name}: already running for {context.root.resolve()} (process {known}). Wait until it is done, or stop it"
            ) from error
        try:
            holder.write_text(str(os.getpid()), encoding="ascii")
            return command(context, **arguments)
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    return alone
