"""What a loader gives: the arrays of a batch of training samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

Keys = list[tuple[int, int]]
"""The samples of a batch: the epoch, and the number of the sample."""


class Batch(NamedTuple):
    """Training samples.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        masks: (N, H, W) uint8 part ids, 255 outside the image.
        keypoints: (N, K, 3) float32 x, y, v in input pixels.
        edges: (N, H, W) uint8 of {0, 1} as stored; None where they are drawn from the masks.
        heatmaps: (N, K, h, w) float16 as stored, MuLA's of background last; None where they are drawn from the keypoints.
    """

    images: Any
    masks: Any
    keypoints: Any
    edges: Any = None
    heatmaps: Any = None

    def map(self, change: Callable[[Any], Any]) -> Batch:
        """Every array changed; those that are None stay so."""
        return Batch(*(None if array is None else change(array) for array in self))
