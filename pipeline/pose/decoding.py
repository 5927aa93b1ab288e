"""Heatmaps to joints."""

from __future__ import annotations

from typing import Literal

import numpy as np

CellAt = Literal["middle", "first"]
"""Where in the input a network was taught that cell i of its heatmaps lies: at the middle of the pixels that the cell
covers, (i + 0.5) stride - 0.5, so that a flip maps cell to cell; or at the first of them, i stride, as the code of
Xiao et al. has it."""


def cells_to_input(cells: np.ndarray, stride: int, cell_at: CellAt = "middle") -> np.ndarray:
    """Input pixels of heatmap cells."""
    return cells * stride + _first_to_middle(stride, cell_at)


def input_to_cells(points: np.ndarray, stride: int, cell_at: CellAt = "middle") -> np.ndarray:
    """Heatmap cells of input pixels; the inverse of cells_to_input."""
    return (points - _first_to_middle(stride, cell_at)) / stride


def _first_to_middle(stride: int, cell_at: CellAt) -> float:
    return (stride - 1) / 2 if cell_at == "middle" else 0.0


def decode_heatmaps(heatmaps: np.ndarray) -> np.ndarray:
    """Peaks of heatmaps, moved a quarter of a cell towards the higher neighbour (Xiao et al. 2018).

    Args:
        heatmaps: (N, K, h, w) float32.

    Returns:
        (N, K, 3) float64: x, y in cells and the peak's value. At the border, and between equal neighbours, a peak
        stays on its cell.
    """
    people, joints, height, width = heatmaps.shape
    flat = heatmaps.reshape(people, joints, -1)
    peak = flat.argmax(axis=2)
    rows, columns = np.divmod(peak, width)
    person, joint = np.ogrid[:people, :joints]
    decoded = np.stack([columns, rows, flat[person, joint, peak]], axis=2).astype(np.float64)

    def _slope(axis: int, place: np.ndarray, length: int) -> np.ndarray:
        inner = (place > 0) & (place < length - 1)
        before, after = np.where(inner, place - 1, place), np.where(inner, place + 1, place)
        if axis == 0:
            return np.sign(heatmaps[person, joint, rows, after] - heatmaps[person, joint, rows, before])
        return np.sign(heatmaps[person, joint, after, columns] - heatmaps[person, joint, before, columns])

    decoded[..., 0] += 0.25 * _slope(0, columns, width)
    decoded[..., 1] += 0.25 * _slope(1, rows, height)
    return decoded


def merge_flipped(
    plain: np.ndarray, flipped: np.ndarray, hflip_index: np.ndarray, cell_at: CellAt = "middle"
) -> np.ndarray:
    """Mean of the maps of an image and of its mirror image, the latter turned back and left and right swapped.

    With cell_at "first" a joint's cell in the mirror is (stride - 1) / stride of a cell too far left when turned back;
    as in the code of Xiao et al. those maps move one cell to the right, their first column staying.

    Args:
        plain, flipped: (N, K, h, w) float32 maps of the image and of its mirror image.
        hflip_index: (K,) the joint that each joint is in the mirror.
    """
    back = flipped[..., ::-1][:, hflip_index]
    if cell_at == "first":
        back = np.concatenate([back[..., :1], back[..., :-1]], axis=3)
    return (plain + back) / 2
