"""Work in batches that shrink when the GPU's memory does not hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from pipeline.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")


class ShrinkingBatches:
    """Runs a function over batches of at most `size`; a batch that the GPU cannot hold is halved and tried again.

    Attributes:
        size: of a batch now; it never grows again.
        halvings: how often it was halved.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.halvings = 0

    def run(self, function: Callable[[Sequence[Item]], Result], items: Sequence[Item]) -> Iterator[Result]:
        """What the function gives for each batch, in order.

        Raises:
            DataError: a single item is too much.
        """
        start = 0
        while start < len(items):
            batch = items[start : start + self.size]
            result = self._attempt(function, batch)
            if result is None:
                self._halve(len(batch))
            else:
                yield result
                start += len(batch)

    def _attempt(self, function: Callable[[Sequence[Item]], Result], batch: Sequence[Item]) -> Result | None:
        """None where the GPU is out of memory; the failed attempt's tensors are gone with its frames."""
        try:
            return function(batch)
        except torch.OutOfMemoryError:
            return None

    def _halve(self, failed: int) -> None:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if failed == 1:
            raise DataError(
                "the GPU's memory does not hold one person. Use a GPU with more, a smaller network, or the CPU"
            )
        self.size = failed // 2
        self.halvings += 1
