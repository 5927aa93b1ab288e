"""Edge maps: the borders between parts of a mask (CorrPM section 3.5: found in the mask, no further annotation)."""

from __future__ import annotations

import cv2
import numpy as np


def edge_map(mask: np.ndarray, width: int = 3, ignore: int = 255) -> np.ndarray:
    """The borders between different labels of a mask.

    Of every pair of neighbours with different labels, neither of them `ignore`, one pixel is marked: the lower of a
    vertical pair, the left of a horizontal one, the upper-left and the upper-right of the two diagonal ones. The marks
    are then dilated by a square of `width`.

    Args:
        mask: (H, W) uint8 labels.
        width: side of the square, odd, in pixels of `mask`.
        ignore: label whose borders are none.

    Returns:
        (H, W) uint8, 1 on a border, 0 elsewhere.

    Raises:
        ValueError: the mask is not (H, W) uint8, the width is not a positive odd number, or ignore is no uint8.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.uint8 or mask.ndim != 2 or mask.size == 0:
        found = f"{mask.dtype} of shape {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise ValueError(f"mask: {found}, expected a non-empty uint8 array of shape (H, W)")
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1 or width % 2 == 0:
        raise ValueError(f"width: {width!r}, expected an odd number of pixels from 1")
    if isinstance(ignore, bool) or not isinstance(ignore, int | np.integer) or not 0 <= ignore <= 255:
        raise ValueError(f"ignore: {ignore!r}, expected a label from 0 to 255")
    valid = mask != ignore if (mask == ignore).any() else None
    edge = np.zeros(mask.shape, dtype=np.uint8)
    up, down, left, right = np.s_[:-1], np.s_[1:], np.s_[:-1], np.s_[1:]
    every = np.s_[:]
    for first, second, marked in (
        ((down, every), (up, every), (down, every)),
        ((every, left), (every, right), (every, left)),
        ((up, left), (down, right), (up, left)),
        ((up, right), (down, left), (up, right)),
    ):
        differ = mask[first] != mask[second]
        if valid is not None:
            differ &= valid[first] & valid[second]
        edge[marked] |= differ.view(np.uint8)
    if width > 1:
        return np.asarray(cv2.dilate(edge, np.ones((width, width), dtype=np.uint8)), dtype=np.uint8)
    return edge
