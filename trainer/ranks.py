"""Work shared between processes, and what they counted brought together, exactly."""

from __future__ import annotations

from typing import Protocol, TypeVar

import torch.distributed
from lightning_fabric import Fabric


class Counts(Protocol):
    """What has been counted so far: whole numbers and lists, so that adding them up is exact."""

    def merge(self, other: Counts, /) -> None:
        """Add what another one has counted, behind one's own."""


_Counts = TypeVar("_Counts", bound=Counts)


def share(count: int, rank: int, ranks: int) -> range:
    """The neighbouring items, of `count`, that are process number `rank`'s; all processes together have each item once."""
    return range(count * rank // ranks, count * (rank + 1) // ranks)


def merged(fabric: Fabric, counts: _Counts) -> _Counts:
    """What all processes have counted, in the order of their ranks; each gets the same. `counts` itself may change."""
    if fabric.world_size == 1:
        return counts
    every: list[_Counts] = [counts] * fabric.world_size
    torch.distributed.all_gather_object(every, counts)
    first, *others = every
    for other in others:
        first.merge(other)
    return first
