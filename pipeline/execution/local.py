"""A pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import BaseContext
from typing import Any

import cv2
import pyarrow as pa

from pipeline.errors import WorkerDied
from pipeline.execution.engine import NO_FILES, Files, Result, Task


def worker_count(asked: int) -> int:
    """Processes to use: what was asked, or one per core that this process may use for 0."""
    if asked:
        return asked
    # macOS does not tell which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class LocalPool:
    """So many processes; with one, or a single task, or a resident function, everything runs in this process."""

    workers: int

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        resident: bool = False,
        files: Files = NO_FILES,
    ) -> Iterator[Result]:
        """As of Engine; at most twice the workers and one more are under way."""
        if resident or self.workers <= 1 or len(tasks) <= 1:
            yield from map(function, tasks)
            return
        workers = min(self.workers, len(tasks))
        with ProcessPoolExecutor(
            workers, mp_context=_context(function), initializer=_begin_worker, initargs=(dict(os.environ),)
        ) as pool:
            running: deque[Future[Result]] = deque()
            try:
                for task in tasks:
                    running.append(pool.submit(function, task))
                    if len(running) > 2 * workers:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            except BrokenProcessPool as error:
                raise WorkerDied(
                    "a worker process was killed, for lack of memory perhaps. Run the command again, it goes on with what "
                    "is not finished; fewer executor.workers take less memory"
                ) from error
            finally:
                for future in running:
                    future.cancel()


_LONGEST_FOLDER = 70
"""Bytes: a socket's path has at most 107, of which the server's own names take 32."""


def _context(function: Any) -> BaseContext:
    """How workers are started. Never forked from this process: they would inherit the locks of torch's and OpenCV's threads.

    On Linux they are forked from a server that has imported what defines the function, and done nothing else: one import
    for all of them. Elsewhere each imports it for itself (the frameworks of macOS do not outlive a fork), and where the
    server's socket, which lies in the temporary folder, would have too long a path.
    """
    if sys.platform != "linux" or len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    parts = (function.func, *function.args) if isinstance(function, partial) else (function,)
    modules = [getattr(part, "__module__", None) or "builtins" for part in parts]
    context.set_forkserver_preload(modules)  # heard once, before the server starts
    return context


def _begin_worker(environment: dict[str, str]) -> None:
    os.environ.clear()  # the server's is from when it was started
    os.environ.update(environment)
    cv2.setNumThreads(1)
    _hide_pandas()
    threading.Thread(target=_end_with_parent, daemon=True).start()


class _NoPandas:
    """An import finder that refuses pandas."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _hide_pandas() -> None:
    """pyarrow imports pandas, where it is installed, before it first converts anything: half a second that no task needs."""
    sys.meta_path.insert(0, _NoPandas)
    pa.array([])  # looks for pandas, once and for all
    sys.meta_path.remove(_NoPandas)


def _end_with_parent() -> None:
    """A worker of a parent that was killed would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
