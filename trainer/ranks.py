"""Work shared between processes, and what they counted brought together, exactly."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import torch.distributed
from lightning_fabric import Fabric
from torch import Tensor, nn


class Counts(Protocol):
    """What has been counted so far: whole numbers and lists, so that adding them up is exact."""

    def merge(self, other: Any, /) -> object:
        """Add what another one has counted, behind one's own."""


_Counts = TypeVar("_Counts", bound=Counts)
_Item = TypeVar("_Item")


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


def summed(values: Tensor, fabric: Fabric) -> Tensor:
    """The sum of all processes' tensors of one shape, on the device; exact for counts."""
    if fabric.world_size == 1:
        return values
    total = values.to(fabric.device, copy=True)
    torch.distributed.all_reduce(total)
    return total


def gathered(items: list[_Item], fabric: Fabric) -> list[_Item]:
    """All processes' items, which can be pickled, in the order of their ranks."""
    if fabric.world_size == 1:
        return items
    every: list[list[_Item]] = [items] * fabric.world_size
    torch.distributed.all_gather_object(every, items)
    return [item for ones in every for item in ones]


def share_buffers(network: nn.Module, fabric: Fabric) -> None:
    """Give every process the first one's buffers: the statistics of norms that each has drawn from its own samples."""
    if fabric.world_size > 1:
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, 0)
