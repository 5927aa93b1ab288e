"""Errors of loader workers, told as if there were none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import DataError, ParamsError, WorkerDied

_DIED = "DataLoader worker (pid"
"""How torch begins to tell that a worker is no more."""


@contextmanager
def plain_worker_errors() -> Iterator[None]:
    """Errors that are the user's to mend leave the block with their own message alone.

    A loader wraps what a worker raises: the message becomes the worker's traceback, whose last part is the message.

    Raises:
        WorkerDied: a worker process was killed.
    """
    try:
        yield
    except (DataError, ParamsError) as error:
        kind = type(error)
        _, traceback, message = str(error).rpartition(f"{kind.__module__}.{kind.__qualname__}: ")
        if not traceback:
            raise
        raise kind(message.strip()) from error
    except RuntimeError as error:
        if not str(error).startswith(_DIED):
            raise
        raise WorkerDied(
            "a loader's worker process was killed, for lack of memory perhaps. Run the command again, it goes on with what is "
            "not finished; fewer executor.loader_workers take less memory"
        ) from error
