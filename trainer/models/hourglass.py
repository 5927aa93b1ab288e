"""The hourglass network in the form that MuLA's code has (Newell et al. 2016; MuLA section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.models.layers import resize, size_of

DEPTH = 4
"""Halvings inside an hourglass: its input's sides are multiples of 2 ** DEPTH."""


def _normed(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class PreActivation(nn.Module):
    """A residual bottleneck with norm and ReLU before each of its 1x1, 3x3 and 1x1 convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = outputs // 2
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Sequential(*_normed(inputs), nn.Conv2d(inputs, outputs, 1, bias=False))
        self.residual = nn.Sequential(
            *_normed(inputs),
            nn.Conv2d(inputs, inner, 1, bias=False),
            *_normed(inner),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            *_normed(inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h, w)."""
        return self.residual(features) + self.shortcut(features)


class PostActivation(nn.Module):
    """A residual bottleneck with a norm behind each convolution, and a ReLU behind the sum."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = outputs // 2
        self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, inner, 1, bias=False),
            *_normed(inner),
            nn.Conv2d(inner, inner, 3, padding=1, bias=False),
            *_normed(inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h, w)."""
        return torch.relu(self.residual(features) + self.shortcut(features))


class HourglassStem(nn.Module):
    """Images to the first hourglass's input, at a quarter of their resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels < 8 or channels % 8:
            raise ValueError(f"channels: {channels}, expected a multiple of 8")
        quarter, half = channels // 4, channels // 2
        self.reduce = nn.Sequential(
            nn.Conv2d(3, quarter, 7, stride=2, padding=3),
            *_normed(quarter),
            PostActivation(quarter, half),
            nn.MaxPool2d(2),
        )
        self.residual = nn.Sequential(
            nn.Conv2d(half, quarter, 1, bias=False),
            *_normed(quarter),
            nn.Conv2d(quarter, quarter, 3, padding=1, bias=False),
            *_normed(quarter),
            nn.Conv2d(quarter, half, 1, bias=False),
        )
        self.widen = PreActivation(half, channels)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, C, H/4, W/4)."""
        reduced = self.reduce(images)
        return self.widen(reduced + self.residual(reduced))


class Hourglass(nn.Module):
    """One hourglass of 1-unit depth and the 1x1 convolution behind it: a stage's encoder.

    A residual unit per level on the way down and on the way up, sums across; upsampled bilinearly, corners aligned.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.ModuleList([PreActivation(channels, channels) for _ in range(DEPTH)])
        self.bottom = PreActivation(channels, channels)
        self.up = nn.ModuleList([PreActivation(channels, channels) for _ in range(DEPTH)])
        self.pool = nn.MaxPool2d(2)
        self.norm = nn.Sequential(*_normed(channels))
        self.project = nn.Sequential(nn.Conv2d(channels, channels, 1), *_normed(channels))

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w), sides multiples of 16 -> (N, C, h, w)."""
        across = []
        for level in self.down:
            across.append(level(features))
            features = self.pool(across[-1])
        features = self.bottom(features)
        for level, kept in zip(self.up, reversed(across), strict=True):
            features = level(kept + resize(features, size_of(kept), align_corners=True))
        return self.project(self.norm(features))
