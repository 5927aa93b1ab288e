"""Orders of the samples that are random, yet read every part of a file once."""

from __future__ import annotations

import numpy as np


def local_order(random: np.random.Generator, count: int, block: int) -> np.ndarray:
    """(count,) every index once: blocks of neighbours in random order, mixed with many other blocks, yet not with all.

    A block is read from its shard once, when its window of 16 blocks (half of what Shards keeps), or of 512 samples if
    that is more, comes up. A free order would read a whole block for each of its samples.
    """
    blocks = random.permutation(-(-count // block))
    window = max(16, 512 // block)
    mixed = []
    for start in range(0, len(blocks), window):
        first = blocks[start : start + window, None] * block
        indices = (first + np.arange(block)).ravel()
        mixed.append(random.permutation(indices[indices < count]))
    return np.concatenate(mixed)
