"""Work side by side: a function over shards in a pool of processes, and the next batch made while the last one is used.

Results come in the order of the tasks, whoever finishes first.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TypeVar

import cv2

Task = TypeVar("Task")
Result = TypeVar("Result")
Item = TypeVar("Item")


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


def prefetched(items: Iterable[Item]) -> Iterator[Item]:
    """The items in order, each made in a thread while the caller is busy with the one before.

    Never more than one waits, so memory holds two: the one in use and the next.

    Raises:
        Exception: whatever making an item raised, when that item's turn comes.
    """
    iterator = iter(items)
    end = object()
    with ThreadPoolExecutor(1, "prefetch") as thread:
        waiting: Future[Item | object] = thread.submit(next, iterator, end)
        while (item := waiting.result()) is not end:
            waiting = thread.submit(next, iterator, end)
            yield item  # type: ignore[misc]  # not the end, so an item


def batches(items: Iterable[Item], most: int, cost: Callable[[Item], int], budget: int) -> Iterator[list[Item]]:
    """The items in order, in lists of at most `most` whose costs sum to at most `budget`; one too dear stands alone.

    Args:
        most: from 1.
        cost: of an item, for instance its pixels.
    """
    batch: list[Item] = []
    spent = 0
    for item in items:
        price = cost(item)
        if batch and (len(batch) == most or spent + price > budget):
            yield batch
            batch, spent = [], 0
        batch.append(item)
        spent += price
    if batch:
        yield batch


def _single_threaded() -> None:
    cv2.setNumThreads(1)
