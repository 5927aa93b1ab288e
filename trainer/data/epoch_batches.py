"""The order of an epoch's samples, cut into batches, and each batch among processes and into parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from trainer.data.order import local_order


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Parts of batches as lists of (epoch, index): every sample once, in an order drawn from the seed and the epoch alone.

    The batches of an epoch are as many as its samples fill, the last one counted in full, and differ by one sample at
    most. Each is cut among `ranks` processes, and a process's share into `parts`; whoever puts them together again has
    the batch, whatever their numbers.

    Attributes:
        steps: batches of an epoch.
        epoch: the one that the next iteration gives.
        first: the batch of the epoch that the next iteration begins with.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        read_together: int = 1,
        *,
        parts: int = 1,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        """Batches of `count` samples, of which `read_together` neighbours are read at once."""
        self.count = count
        self.seed = seed
        self.read_together = read_together
        self.parts = parts
        self.rank = rank
        self.ranks = ranks
        self.steps = -(-count // batch_size)
        self.epoch = 0
        self.first = 0

    @property
    def smallest(self) -> int:
        """Samples of the smallest part that a process is ever given."""
        return self.count // self.steps // self.ranks // self.parts

    @property
    def largest(self) -> int:
        """Samples of the largest part."""
        return -(-self.count // self.steps // self.ranks // self.parts)

    def __len__(self) -> int:
        return (self.steps - self.first) * self.parts

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for batch in self._batches()[self.first :]:
            share = np.array_split(batch, self.ranks)[self.rank]
            for part in np.array_split(share, self.parts):
                yield [(self.epoch, int(index)) for index in part]

    def indices(self, step: int) -> list[int]:
        """This process's share of a batch of the epoch, in the order of its parts."""
        return [int(index) for index in np.array_split(self._batches()[step], self.ranks)[self.rank]]

    def _batches(self) -> list[np.ndarray]:
        order = local_order(np.random.default_rng([self.seed, self.epoch]), self.count, self.read_together)
        return np.array_split(order, self.steps)
