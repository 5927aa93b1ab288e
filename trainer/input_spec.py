"""How a model is fed: channel order, mean, deviation and size; it travels with the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Feeding = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Mean and deviation per channel, of values in [0, 1]."""

IMAGENET_FEEDING: Feeding = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
MULA_FEEDING: Feeding = ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class InputSpec:
    """What the network expects.

    Attributes:
        order: of the channels.
        mean, std: per channel in that order, of values in [0, 1].
        size: (height, width) in pixels.
    """

    order: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: tuple[int, int]

    @property
    def fill(self) -> tuple[int, int, int]:
        """RGB uint8 that stands nearest to 0 after `normalize`; what surrounds an image that does not fill the input."""
        red, green, blue = (round(255 * value) for value in self.mean)
        return (red, green, blue) if self.order == "rgb" else (blue, green, red)

    def normalize(self, images: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 RGB -> (N, 3, H, W) float32, channels last in memory, as the network expects them."""
        if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != torch.uint8:
            raise ValueError(f"images: {images.dtype} {tuple(images.shape)}, expected uint8 (N, H, W, 3)")
        channels = images.permute(0, 3, 1, 2)
        if self.order == "bgr":
            channels = channels.flip(1)
        mean = torch.tensor(self.mean, device=images.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(3, 1, 1)
        return ((channels.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)


def input_spec(
    variant: Literal["paper", "official"], size: tuple[int, int], feeding: Feeding = IMAGENET_FEEDING
) -> InputSpec:
    """How a model of that variant is fed.

    Both papers' codes feed BGR, CorrPM's with ImageNet's mean and deviation in RGB order all the same.
    """
    return InputSpec("bgr" if variant == "official" else "rgb", *feeding, size)
