"""Run a function over shards in a pool of processes; results come in the order of the tasks, whoever finishes first."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

import cv2

Task = TypeVar("Task")
Result = TypeVar("Result")


def worker_count(asked: int) -> int:
    """Processes to use: what was asked, or one per core that this process may use for 0."""
    return asked or len(os.sched_getaffinity(0))


def run_tasks(function: Callable[[Task], Result], tasks: Sequence[Task], workers: int) -> Iterator[Result]:
    """`function` of every task, in order.

    Args:
        function: picklable; must not depend on anything but its task.
        workers: processes; with 1, or a single task, everything runs in this process.

    Raises:
        Exception: whatever `function` raised first in task order; tasks not yet started are dropped.
    """
    if workers <= 1 or len(tasks) <= 1:
        yield from map(function, tasks)
        return
    # Spawned, not forked: a forked child would inherit the locks of torch's and OpenCV's threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_single_threaded) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                running.append(pool.submit(function, task))
                if len(running) > 2 * workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _single_threaded() -> None:
    cv2.setNumThreads(1)
