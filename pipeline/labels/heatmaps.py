"""Gaussian heatmaps of keypoints, in the three conventions that go by the same name and the same sigma."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

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
    dtype: type[np.float32] | type[np.float16] = np.float32,
) -> np.ndarray:
    """One Gaussian per keypoint on a grid `stride` times coarser than the input.

    Args:
        keypoints: (K, 3) x, y, v in input pixels, or (..., K, 3) for many samples; v <= 0 gives a map of zeros.
        size: (h, w) of the heatmaps, in cells.
        stride: input pixels per cell.
        sigma: standard deviation, in cells or in input pixels.
        sigma_space: "cells" or "input"; None is the convention's own (corrpm: cells, mula and exact: input).
        convention: how centre and tails are treated (DESIGN of CorrPM's and MuLA's released code):
            corrpm: centre rounded to the cell int(x / stride + 0.5), a square window of int(3 sigma) cells each way.
            mula: cell i lies at stride / 2 - 0.5 + i * stride, zero where the exponent passes 4.6052, and a last map
                of background, 1 - the largest of the others.
            exact: the same cells, uncut, no background.
        dtype: of the result; float16 is the rounded float32.

    Returns:
        (..., K, h, w) in [0, 1], (..., K + 1, h, w) for mula.

    Raises:
        ValueError: an argument is of another shape, sign or name; it is named.
    """
    points = _checked(keypoints, size, stride, sigma, sigma_space, convention)
    space = sigma_space or DEFAULT_SIGMA_SPACE[convention]
    # A missing keypoint may hold anything, nan too; infinitely far away its map is zeros.
    xy = np.where(points[..., 2:] > 0, points[..., :2], -np.inf)
    if convention == "corrpm":
        return _windows(xy / stride, size, sigma if space == "cells" else sigma / stride, np.dtype(dtype))
    sigma_px = sigma if space == "input" else sigma * stride
    if convention == "mula":
        return _with_background(xy, size, stride, sigma_px).astype(dtype, copy=False)
    profiles = np.exp(-_exponents(xy, np.arange(max(size)), stride, sigma_px)).astype(np.float32)
    # A broadcast product would be slower: einsum has less to do around every line.
    drawn = np.einsum("...h,...w->...hw", profiles[..., 1, : size[0]], profiles[..., 0, : size[1]])
    return drawn.astype(dtype, copy=False)


def _windows(positions: np.ndarray, size: tuple[int, int], sigma_cells: float, dtype: np.dtype[Any]) -> np.ndarray:
    """(..., h, w) Gaussians around the rounded (..., 2) positions, in cells, zero outside the window."""
    reach = int(3 * sigma_cells)
    # Rounded centres leave few different maps: each is a cut-out of one plane that holds the Gaussian once.
    far = np.array([size[1] + reach, size[0] + reach])
    at = (far - np.clip(np.trunc(positions + 0.5), -1 - reach, far)).astype(np.intp)
    return _cut_outs(size, sigma_cells, dtype)[at[..., 1], at[..., 0]]


@lru_cache(maxsize=8)
def _cut_outs(size: tuple[int, int], sigma_cells: float, dtype: np.dtype[Any]) -> np.ndarray:
    """(rows, columns, h, w): the map of every centre whose window may reach it, from the farthest down and right to up and left."""
    reach = int(3 * sigma_cells)
    profiles = []
    for cells in size:
        profile = np.zeros(2 * (cells + reach) + 1, np.float32)
        profile[cells : cells + 2 * reach + 1] = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma_cells**2))
        profiles.append(profile)
    return np.lib.stride_tricks.sliding_window_view(np.outer(*profiles).astype(dtype), size)


def _exponents(positions: np.ndarray, cells: np.ndarray, stride: int, sigma_px: float) -> np.ndarray:
    """Squared distances of cells from positions in input pixels, (..., n) for (...), over twice the variance."""
    centres = stride / 2 - 0.5 + cells * stride
    return (centres - positions[..., None]) ** 2 / (2 * sigma_px**2)


def _with_background(xy: np.ndarray, size: tuple[int, int], stride: int, sigma_px: float) -> np.ndarray:
    """(..., K + 1, h, w) cut Gaussians and their background; only the cells that a Gaussian reaches are computed."""
    *leading, count, _ = xy.shape
    height, width = size
    maps = np.zeros((*leading, count + 1, height, width), np.float32)
    reach = sigma_px * math.sqrt(2 * MULA_CUT)
    side = int(2 * reach / stride) + 2
    tall, wide = min(side, height), min(side, width)
    first = np.ceil((xy - (reach + stride / 2 - 0.5)) / stride)
    first = np.minimum(np.maximum(first, 0), (width - wide, height - tall))
    exponents = _exponents(xy, first[..., None] + np.arange(max(tall, wide)), stride, sigma_px)
    gaussians = np.exp(-exponents)
    across, down = np.s_[..., 0, None, :wide], np.s_[..., 1, :tall, None]
    patches = gaussians[down] * gaussians[across] * (exponents[down] + exponents[across] <= MULA_CUT)
    corner = first.astype(np.intp)
    numbers = np.arange(maps.size // (height * width)).reshape(*leading, count + 1)[..., :count]
    _patches_of(maps, tall, wide)[numbers, corner[..., 1], corner[..., 0]] = patches
    np.subtract(1, maps[..., :-1, :, :].max(axis=-3, initial=0), out=maps[..., -1, :, :])
    return maps


def _patches_of(maps: np.ndarray, tall: int, wide: int) -> np.ndarray:
    """(n, rows, columns, tall, wide) view of contiguous (..., h, w) maps: every patch of that size by map and corner."""
    height, width = maps.shape[-2:]
    shape = (maps.size // (height * width), height - tall + 1, width - wide + 1, tall, wide)
    line = maps.itemsize * width
    return np.ndarray(shape, maps.dtype, maps, strides=(line * height, line, maps.itemsize, line, maps.itemsize))


def _checked(
    keypoints: np.ndarray, size: tuple[int, int], stride: int, sigma: float, sigma_space: str | None, convention: str
) -> np.ndarray:
    points = np.asarray(keypoints, dtype=np.float64)
    if points.ndim < 2 or points.shape[-1] != 3:
        raise ValueError(f"keypoints: shape {points.shape}, expected (K, 3) or (..., K, 3) of x, y, v")
    if not np.isfinite(points[points[..., 2] > 0]).all():
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
