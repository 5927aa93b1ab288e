"""What batch norms do while training: learn from the whole batch, from a share of it, or not at all."""

from __future__ import annotations

from typing import TypeVar, cast

from lightning_fabric import Fabric
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Network = TypeVar("Network", bound=nn.Module)


def prepare_norms(network: Network, frozen: bool, fabric: Fabric) -> Network:
    """The network with norms that several GPUs keep together, or that learn nothing where they are frozen."""
    if frozen:
        for norm in _norms(network):
            norm.requires_grad_(False)
        return network
    if fabric.world_size > 1 and fabric.device.type == "cuda":
        return cast(Network, nn.SyncBatchNorm.convert_sync_batchnorm(network))
    return network


def train_mode(network: nn.Module, frozen: bool) -> None:
    """Training mode, but for norms that are frozen: they use the statistics that they have."""
    network.train()
    if frozen:
        for norm in _norms(network):
            norm.eval()


def least_samples(network: nn.Module, frozen: bool) -> int:
    """Samples that a part of a batch must have: two where norms learn from it alone."""
    alone = not frozen and any(not isinstance(norm, nn.SyncBatchNorm) for norm in _norms(network))
    return 2 if alone else 1


def _norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]
