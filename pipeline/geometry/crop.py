"""Cutting a person out at native resolution: nothing is resampled, so a crop goes back pixel for pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.geometry.affine import translation


@dataclass(frozen=True)
class Window:
    """Pixel columns x0 ... x1 - 1 and rows y0 ... y1 - 1 of an image."""

    x0: int
    y0: int
    x1: int
    y1: int

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The window of an (H, W, ...) array, as a copy."""
        return array[self.y0 : self.y1, self.x0 : self.x1].copy()

    @property
    def to_source(self) -> np.ndarray:
        """(2, 3) float64: window pixels -> image pixels."""
        return translation(self.x0, self.y0)


def window_of_box(box: np.ndarray, image_hw: tuple[int, int], expand: float) -> Window:
    """The window around a box, enlarged by `expand` of its sides in total and cut at the image's border.

    Args:
        box: (4,) x, y, w, h in pixels.
        image_hw: (height, width) of the image.
        expand: share of the box's side that is added, half on either end.

    Raises:
        ValueError: the box has no area inside the image, or expand is negative.
    """
    x, y, w, h = (float(value) for value in box)
    height, width = image_hw
    if not np.isfinite([x, y, w, h]).all() or w <= 0 or h <= 0:
        raise ValueError(f"box: {[x, y, w, h]}, expected finite x, y, w, h with w and h above 0")
    if not expand >= 0:
        raise ValueError(f"expand: {expand!r}, expected a share of at least 0")
    dx, dy = w * expand / 2, h * expand / 2
    x0, y0 = max(0, int(np.floor(x - dx))), max(0, int(np.floor(y - dy)))
    x1, y1 = min(width, int(np.ceil(x + w + dx))), min(height, int(np.ceil(y + h + dy)))
    if x1 <= x0 or y1 <= y0:
        raise ValueError(f"box: {[x, y, w, h]} has no area inside an image of {height}x{width}")
    return Window(x0, y0, x1, y1)
