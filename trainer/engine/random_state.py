"""Torch's random numbers (dropout draws some): begun anew in every epoch, kept when one is interrupted."""

from __future__ import annotations

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from trainer.ranks import gathered

RandomState = dict[str, Tensor]


def seed_epoch(seed: int, epoch: int, rank: int) -> None:
    """Numbers that depend on the seed, the epoch and the process alone."""
    key = [seed, epoch, rank] if rank else [seed, epoch]
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))


def random_states(fabric: Fabric) -> list[RandomState]:
    """The states of all processes' generators, by rank."""
    state = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(fabric.device)
    return gathered([state], fabric)


def restore_random_state(states: list[RandomState], fabric: Fabric) -> None:
    """Go on with the numbers of this process's state; nothing happens where a run of fewer processes has left none."""
    if fabric.global_rank < len(states):
        state = states[fabric.global_rank]
        torch.set_rng_state(state["cpu"])
        if fabric.device.type == "cuda" and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"], fabric.device)
