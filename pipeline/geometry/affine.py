"""2x3 affine maps of points, and the letterbox into a fixed input size."""

from __future__ import annotations

import numpy as np


def translation(dx: float, dy: float) -> np.ndarray:
    """(2, 3) float64: moves points by (dx, dy)."""
    return np.array([[1, 0, dx], [0, 1, dy]], dtype=np.float64)


def invert(matrix: np.ndarray) -> np.ndarray:
    """(2, 3) float64 inverse of a (2, 3) affine map.

    Raises:
        ValueError: the map has no inverse.
    """
    linear = np.asarray(matrix, dtype=np.float64)[:, :2]
    if abs(np.linalg.det(linear)) < 1e-12:
        raise ValueError(f"matrix: {np.asarray(matrix).tolist()} has no inverse")
    inverse = np.linalg.inv(linear)
    return np.concatenate([inverse, -inverse @ np.asarray(matrix, dtype=np.float64)[:, 2:]], axis=1)


def transform_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., 2) float64 points taken through a (2, 3) affine map."""
    matrix = np.asarray(matrix, dtype=np.float64)
    return np.asarray(points, dtype=np.float64) @ matrix[:, :2].T + matrix[:, 2]


def letterbox(source_hw: tuple[int, int], target_hw: tuple[int, int]) -> np.ndarray:
    """(2, 3) float64: source pixels -> target pixels, aspect ratio kept, centred.

    The corners of the source's area (half a pixel outside the outer centres) go to the corners of the area it fills.

    Raises:
        ValueError: a side is below 1.
    """
    for name, size in (("source_hw", source_hw), ("target_hw", target_hw)):
        if min(size) < 1:
            raise ValueError(f"{name}: {size!r}, expected (height, width) of at least 1 pixel")
    (height, width), (target_height, target_width) = source_hw, target_hw
    scale = min(target_height / height, target_width / width)
    # Area coordinates are pixel coordinates + 0.5.
    dx = (target_width - scale * width) / 2 + 0.5 * scale - 0.5
    dy = (target_height - scale * height) / 2 + 0.5 * scale - 0.5
    return np.array([[scale, 0, dx], [0, scale, dy]], dtype=np.float64)
