"""Which samples come when, drawn beside the training by worker processes; equal for any number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from trainer.data.order import local_order


@dataclass(frozen=True)
class SampleOrder:
    """Position in the run -> which sample comes there, and its own random generator.

    Every epoch holds every sample once, in an order keyed by (seed, epoch); a sample's generator is keyed by seed,
    epoch and its index.

    Attributes:
        count: samples.
        block: neighbours that are read at once, where not all samples can be kept in memory; the order then keeps
            them near each other (see `local_order`). 1 is a free order.
    """

    seed: int
    count: int
    block: int = 1

    def __call__(self, position: int) -> tuple[int, np.random.Generator]:
        """The index and the generator."""
        epoch, place = divmod(position, self.count)
        index = int(_epoch_order(self.seed, epoch, self.count, self.block)[place])
        return index, np.random.default_rng((self.seed, 2, epoch, index))


@lru_cache(maxsize=2)
def _epoch_order(seed: int, epoch: int, count: int, block: int) -> np.ndarray:
    random = np.random.default_rng((seed, 1, epoch))
    return random.permutation(count) if block == 1 else local_order(random, count, block)


class _Drawn(Dataset[Any]):
    def __init__(self, draw: Callable[[int], Any]) -> None:
        self.draw = draw

    def __getitem__(self, position: int) -> Any:
        return self.draw(position)


class _Steps(Sampler[list[int]]):
    def __init__(self, first: int, steps: int, batch_size: int) -> None:
        self.first, self.steps, self.batch_size = first, steps, batch_size

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.first, self.steps):
            yield list(range(step * self.batch_size, (step + 1) * self.batch_size))


def drawn_batches(
    draw: Callable[[int], Any],
    collate: Callable[[list[Any]], Any],
    first: int,
    steps: int,
    batch_size: int,
    workers: int,
) -> Iterator[Any]:
    """The batches of the steps from `first` to the last.

    Args:
        draw: position in the run -> sample; depends on the position alone. Picklable, as `collate`.
        collate: samples -> batch of tensors, which pass from a worker through shared memory.
        workers: processes; with 0 everything is drawn in this one.
    """
    return iter(
        DataLoader(
            _Drawn(draw),
            batch_sampler=_Steps(first, steps, batch_size),
            num_workers=workers,
            collate_fn=collate,
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # else the loader draws from the generator that the network starts from
        )
    )


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
