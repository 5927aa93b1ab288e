"""Gaussian heatmaps of keypoints, in the three conventions that go by the same name and the same sigma."""

from __future__ import annotations

import numpy as np

MULA_CUT = 4.6052
"""MuLA's Gaussian is zero where its exponent passes this: about 1 % of the peak."""

DEFAULT_SIGMA_SPACE = {"corrpm": "cells", "mula": "input", "exact": "input"}


def gaussian_heatmaps(
    keypoints: np.ndarray,
    size: tuple[int, int],
    stride: int = 4,
    sigma: float = 7.0,
    sigma_space: str | None = None,
    convention: str = "corrpm",
) -> np.ndarray:
    """One Gaussian per keypoint on a grid `stride` times coarser than the input.

    Args:
        keypoints: (K, 3) x, y, v in input pixels; v <= 0 gives a map of zeros.
        size: (h, w) of the heatmaps, in cells.
        stride: input pixels per cell.
        sigma: standard deviation, in cells or in input pixels.
        sigma_space: "cells" or "input"; None is the convention's own (corrpm: cells, mula and exact: input).
        convention: how centre and tails are treated (DESIGN of CorrPM's and MuLA's released code):
            corrpm: centre rounded to the cell int(x / stride + 0.5), a square window of int(3 sigma) cells each way.
            mula: cell i lies at stride / 2 - 0.5 + i * stride, zero where the exponent passes 4.6052, and a last map
                of background, 1 - the largest of the others.
            exact: the same cells, uncut, no background.

    Returns:
        (K, h, w) float32 in [0, 1], (K + 1, h, w) for mula.

    Raises:
        ValueError: an argument is of another shape, sign or name; it is named.
    """
    points = _checked(keypoints, size, stride, sigma, sigma_space, convention)
    space = sigma_space or DEFAULT_SIGMA_SPACE[convention]
    present = points[:, 2] > 0
    # A missing keypoint may hold anything, nan too; its map is zeros whatever it is.
    xy = np.where(present[:, None], points[:, :2], 0.0)
    if convention == "corrpm":
        sigma_cells = sigma if space == "cells" else sigma / stride
        columns, rows = (_window(xy[:, axis], size[1 - axis], stride, sigma_cells) for axis in (0, 1))
        maps = rows[:, :, None] * columns[:, None, :]
    else:
        sigma_px = sigma if space == "input" else sigma * stride
        columns, rows = (_exponents(xy[:, axis], size[1 - axis], stride, sigma_px) for axis in (0, 1))
        exponents = rows[:, :, None] + columns[:, None, :]
        maps = np.exp(-exponents)
        if convention == "mula":
            maps[exponents > MULA_CUT] = 0
    maps[~present] = 0
    if convention == "mula":
        background = 1 - maps.max(axis=0, initial=0, keepdims=True)
        maps = np.concatenate([maps, background])
    return maps.astype(np.float32)


def _window(positions: np.ndarray, cells: int, stride: int, sigma_cells: float) -> np.ndarray:
    """(K, cells) Gaussian along one axis around the rounded centre, zero outside the window."""
    centre = np.trunc(positions / stride + 0.5)
    distance = np.arange(cells) - centre[:, None]
    return np.where(np.abs(distance) <= int(3 * sigma_cells), np.exp(-(distance**2) / (2 * sigma_cells**2)), 0)


def _exponents(positions: np.ndarray, cells: int, stride: int, sigma_px: float) -> np.ndarray:
    """(K, cells) squared distances along one axis over twice the variance."""
    centres = stride / 2 - 0.5 + np.arange(cells) * stride
    return (centres - positions[:, None]) ** 2 / (2 * sigma_px**2)


def _checked(
    keypoints: np.ndarray, size: tuple[int, int], stride: int, sigma: float, sigma_space: str | None, convention: str
) -> np.ndarray:
    points = np.asarray(keypoints, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"keypoints: shape {points.shape}, expected (K, 3) of x, y, v")
    if not np.isfinite(points[points[:, 2] > 0]).all():
        raise ValueError("keypoints: a keypoint with v > 0 is nan or infinite, expected numbers")
    if not isinstance(size, tuple | list) or len(size) != 2 or not all(_is_count(side) for side in size):
        raise ValueError(f"size: {size!r}, expected (h, w) of at least one cell each")
    if not _is_count(stride):
        raise ValueError(f"stride: {stride!r}, expected a whole number of input pixels from 1")
    if not isinstance(sigma, int | float | np.number) or not (np.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma: {sigma!r}, expected a number above 0")
    if sigma_space not in (None, "cells", "input"):
        raise ValueError(f"sigma_space: {sigma_space!r}, expected 'cells', 'input' or None")
    if convention not in DEFAULT_SIGMA_SPACE:
        raise ValueError(f"convention: {convention!r}, expected one of {', '.join(DEFAULT_SIGMA_SPACE)}")
    return points


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1
