"""The order of an epoch's samples, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from trainer.data.order import local_order


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index): every sample once, in an order drawn from the seed and the epoch.

    The last batch is filled up from the order's start, so that every batch is of one size.

    Attributes:
        epoch: the one that the next iteration gives.
    """

    def __init__(self, count: int, batch_size: int, seed: int, read_together: int = 1) -> None:
        """Batches of `count` samples, of which `read_together` neighbours are read at once."""
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.read_together = read_together
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order = local_order(np.random.default_rng([self.seed, self.epoch]), self.count, self.read_together)
        filled = np.resize(order, len(self) * self.batch_size)
        for batch in filled.reshape(len(self), self.batch_size):
            yield [(self.epoch, int(index)) for index in batch]
