"""The moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class WeightAverage:
    """An exponential moving average of all that a network's state_dict holds, norm statistics included.

    Attributes:
        values: name -> tensor beside the network's own; integers are the network's of the last update.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Begin with the network's weights of now."""
        self.network = network
        self.decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number `step`, counted from 0; early ones weigh more: (1 + step) / (10 + step)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        state = self.network.state_dict()
        floats = [name for name, tensor in state.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.values[name] for name in floats], [state[name] for name in floats], 1 - decay)
        for name in state.keys() - set(floats):
            self.values[name].copy_(state[name])

    def load(self, values: dict[str, Tensor]) -> None:
        """Go on from an average that was saved."""
        for name, tensor in self.values.items():
            tensor.copy_(values[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network has the average's weights inside the block, and its own again after it."""
        own = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        self.network.load_state_dict(self.values)
        try:
            yield
        finally:
            self.network.load_state_dict(own)
