"""The convolution, norm and activation that the encoders share, and the explicit resize."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Variant = Literal["paper", "official"]


def conv_norm(inputs: int, outputs: int, variant: Variant, kernel: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution of stride 1 that keeps the size, norm, activation: leaky ReLU of 0.01 in CorrPM's code, else ReLU."""
    padding = dilation * (kernel // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        activation(variant),
    )


def activation(variant: Variant) -> nn.Module:
    """The activation after a norm."""
    return nn.LeakyReLU(0.01, inplace=True) if variant == "official" else nn.ReLU(inplace=True)


def resize(maps: Tensor, size: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Bilinear resize of (N, C, h, w) to (N, C, *size); maps of that size pass unchanged."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=align_corners)


def he_initialise(network: nn.Module) -> None:
    """Draw the weights of all convolutions anew (He et al. 2015), their biases 0, as MuLA's code does."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def size_of(maps: Tensor) -> tuple[int, int]:
    """(h, w) of (N, C, h, w)."""
    return maps.shape[-2], maps.shape[-1]
