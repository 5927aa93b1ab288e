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
    def hw(self) -> tuple[int, int]:
        """(height, width)."""
        return self.y1 - self.y0, self.x1 - self.x0

    def look_at(self, part: np.ndarray, own: Window) -> np.ndarray:
        """What this window shows of an array that fills the window `own`: (h, w, ...) of this one's size, 0 outside `own`."""
        shown = np.zeros((*self.hw, *part.shape[2:]), part.dtype)
        x0, x1 = max(self.x0, own.x0), min(self.x1, own.x1)
        y0, y1 = max(self.y0, own.y0), min(self.y1, own.y1)
        if x0 < x1 and y0 < y1:
            shown[y0 - self.y0 : y1 - self.y0, x0 - self.x0 : x1 - self.x0] = part[
                y0 - own.y0 : y1 - own.y0, x0 - own.x0 : x1 - own.x0
            ]
        return shown

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


def window_of_mask(mask: np.ndarray) -> Window:
    """The smallest window around the true pixels of an (H, W) bool mask; of no pixel at all where there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return Window(0, 0, 0, 0)
    return Window(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def paste_back(crop: np.ndarray, to_source: np.ndarray, image_hw: tuple[int, int], fill: int = 0) -> np.ndarray:
    """The values of a crop at their place in the image that it was cut from.

    Args:
        crop: (h, w, ...) pixels, labels, ids or a mask, at the crop's own size.
        to_source: (2, 3) the crop's map to the image's pixels: a shift by whole pixels, since crops are not resampled.
        image_hw: (height, width) of the image.
        fill: value around the crop.

    Returns:
        (height, width, ...) array of the crop's type.

    Raises:
        ValueError: the map is no shift by whole pixels, or the crop does not lie inside the image.
    """
    window = window_in_source(crop.shape[:2], to_source, image_hw)
    image = np.full((*image_hw, *crop.shape[2:]), fill, crop.dtype)
    image[window.y0 : window.y1, window.x0 : window.x1] = crop
    return image


def window_in_source(crop_hw: tuple[int, ...], to_source: np.ndarray, image_hw: tuple[int, int]) -> Window:
    """The window that a crop was cut from; arguments and errors as of `paste_back`."""
    matrix = np.asarray(to_source, np.float64)
    shift = np.rint(matrix[:, 2])
    if matrix.shape != (2, 3) or not np.array_equal(matrix, np.column_stack([np.eye(2), shift])):
        raise ValueError(f"to_source: {matrix.tolist()}, expected a (2, 3) shift by whole pixels")
    x, y = (int(value) for value in shift)
    height, width = crop_hw
    if x < 0 or y < 0 or y + height > image_hw[0] or x + width > image_hw[1]:
        raise ValueError(
            f"crop: {height}x{width} at ({x}, {y}) does not lie inside an image of {image_hw[0]}x{image_hw[1]}"
        )
    return Window(x, y, x + width, y + height)
