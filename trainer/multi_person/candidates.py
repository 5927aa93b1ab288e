"""Candidates of joints: the peaks of heatmaps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import maximum_filter


class Candidates(NamedTuple):
    """Places where joints may be, by falling score.

    Attributes:
        joint: (M,) index of the joint.
        xy: (M, 2) float64 x, y, in cells or pixels.
        score: (M,) float64.
    """

    joint: np.ndarray
    xy: np.ndarray
    score: np.ndarray

    def moved(self, xy: np.ndarray) -> Candidates:
        """The same candidates at other places (M, 2), such as those in another frame."""
        return self._replace(xy=np.asarray(xy, np.float64))


def joint_candidates(heatmaps: np.ndarray, threshold: float, radius: int) -> Candidates:
    """Peaks of each joint's map: non-maximum suppression over squares (MuLA section 3.2).

    Args:
        heatmaps: (K, h, w), without a background.
        threshold: the least score.
        radius: in cells. A cell is a peak if none within this many rows and columns is higher; of equal cells that
            close, the first by rows stays.

    Returns:
        Candidates in cells.

    Raises:
        ValueError: the maps have another shape, or the radius is below 1.
    """
    maps = np.asarray(heatmaps, np.float64)
    if maps.ndim != 3:
        raise ValueError(f"heatmaps: shape {maps.shape}, expected (K, h, w)")
    if radius < 1:
        raise ValueError(f"radius: {radius}, expected at least 1 cell")
    side = 2 * radius + 1
    peaks = (maps == maximum_filter(maps, (1, side, side), mode="nearest")) & (maps >= threshold)
    joint, row, column = np.nonzero(peaks)
    kept: list[int] = []
    for place in np.argsort(-maps[peaks], kind="stable"):
        close = [
            other
            for other in kept
            if joint[other] == joint[place]
            and abs(row[other] - row[place]) <= radius
            and abs(column[other] - column[place]) <= radius
        ]
        if not close:
            kept.append(int(place))
    xy = np.stack([column[kept], row[kept]], axis=1).astype(np.float64)
    return Candidates(joint[kept], xy, maps[joint[kept], row[kept], column[kept]])
