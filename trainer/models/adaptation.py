"""Dynamic convolution: one network's kernels predicted from the other's features (MuLA section 3.2, Fig. 3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.models.layers import size_of


def dynamic_depthwise(features: Tensor, kernels: Tensor) -> Tensor:
    """Each sample's channels convolved with its own kernels, one per channel; one grouped convolution for all of them.

    Args:
        features: (N, C, h, w).
        kernels: (N, C, kh, kw), both sides odd.

    Returns:
        (N, C, h, w): zeros surround the features, kh // 2 rows and kw // 2 columns of them.

    Raises:
        ValueError: a side of the kernels is even, or they are not one per channel and sample.
    """
    batch, channels = features.shape[:2]
    height, width = size_of(kernels)
    if kernels.shape[:2] != features.shape[:2] or height % 2 == 0 or width % 2 == 0:
        raise ValueError(
            f"kernels: shape {tuple(kernels.shape)}, expected ({batch}, {channels}, kh, kw) with odd kh and kw"
        )
    convolved = functional.conv2d(
        features.reshape(1, batch * channels, *size_of(features)),
        kernels.reshape(batch * channels, 1, height, width),
        padding=(height // 2, width // 2),
        groups=batch * channels,
    )
    return convolved.view_as(features)


def kernel_side(side: int) -> int:
    """Side of the kernel that ParameterAdapter predicts from a map of that side: 7 from 64, 3 from 32, 11 from 96."""
    return (side - 1) // 8


class ParameterAdapter(nn.Sequential):
    """Predicts the partner's depthwise kernels: (N, C, h, w) -> (N, C, kernel_side(h), kernel_side(w)) (Fig. 3 b)."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, 3, stride=2),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, channels, 3, padding=1),
        )


class LearnedKernels(nn.Module):
    """Depthwise kernels that are weights of the network: what row Self of Table 1 has in the adapter's place."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.kaiming_normal_(torch.empty(channels, 1, side, side)).squeeze(1))

    def forward(self, partner: Tensor) -> Tensor:
        """The partner's features (N, C, h, w), of which only N matters -> (N, C, side, side)."""
        return self.weight.expand(len(partner), *self.weight.shape)


class Tailoring(nn.Module):
    """R + U * kernels * V * R: a representation refined by a decomposed convolution with given kernels (Eq. 5-7).

    The authors' code adds a ReLU behind U, in the hourglass network with a norm before it.

    Attributes:
        convolve: dynamic_depthwise, or another form of it.
    """

    def __init__(self, channels: int, kernels: nn.Module, finish: nn.Module) -> None:
        """Around the module that gives the kernels; `finish` comes behind U."""
        super().__init__()
        self.kernels = kernels
        self.before = nn.Conv2d(channels, channels, 1)
        self.after = nn.Conv2d(channels, channels, 1)
        self.finish = finish
        self.convolve: Callable[[Tensor, Tensor], Tensor] = dynamic_depthwise

    def forward(self, own: Tensor, partner: Tensor) -> Tensor:
        """Own and partner's representation, each (N, C, h, w) -> the own one refined (N, C, h, w)."""
        complement = self.convolve(self.before(own), self.kernels(partner))
        return own + self.finish(self.after(complement))
