"""The next items made while the last ones are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


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
