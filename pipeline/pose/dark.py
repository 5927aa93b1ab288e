"""Distribution-aware decoding of heatmaps (Zhang et al. 2020, "Distribution-Aware Coordinate Representation")."""

from __future__ import annotations

import cv2
import numpy as np

FLOOR = 1e-10
"""Values below have no logarithm of use."""


def decode_dark(heatmaps: np.ndarray, sigma_cells: float) -> np.ndarray:
    """Peaks of heatmaps, moved to where a Gaussian's peak would be by a Taylor step on its logarithm.

    The maps are blurred by a Gaussian of the width that the network learned, which smooths their tops. Around the
    highest cell (of the map as it came) the logarithm of a Gaussian is a paraboloid; with its gradient g and Hessian H
    there, by central differences, the peak lies at -H^-1 g. A peak stays on its cell where the differences would leave
    the map (the outer two cells), where H is not that of a maximum, and where the step would leave the neighbourhood
    that the differences come from (more than a cell). Nearer to the border than the blur reaches, the step leans
    away from it, as the blur sees nothing beyond.

    Args:
        heatmaps: (N, K, h, w) float32.
        sigma_cells: of the learned Gaussians.

    Returns:
        (N, K, 3) float64: x, y in cells and the peak's value in the map as it came.
    """
    people, joints, height, width = heatmaps.shape
    maps = heatmaps.reshape(-1, height, width)
    every = np.arange(len(maps))
    rows, columns = np.divmod(maps.reshape(len(maps), height * width).argmax(axis=1), width)
    decoded = np.stack([columns, rows, maps[every, rows, columns]], axis=1).astype(np.float64)
    inner = (rows >= 2) & (rows < height - 2) & (columns >= 2) & (columns < width - 2)
    if inner.any():
        logs = np.log(np.maximum(_blurred(maps[inner], sigma_cells), FLOOR))
        decoded[inner, :2] += _steps(logs, every[: len(logs)], rows[inner], columns[inner])
    return decoded.reshape(people, joints, 3)


def _steps(logs: np.ndarray, at: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(M, 2) x and y from the cells (row, column) of the maps `at` to the top of the paraboloid there; 0 without one."""

    def _log(down: int, right: int) -> np.ndarray:
        return logs[at, row + down, column + right].astype(np.float64)

    g_x, g_y = (_log(0, 1) - _log(0, -1)) / 2, (_log(1, 0) - _log(-1, 0)) / 2
    h_xx = (_log(0, 2) - 2 * _log(0, 0) + _log(0, -2)) / 4
    h_yy = (_log(2, 0) - 2 * _log(0, 0) + _log(-2, 0)) / 4
    h_xy = (_log(1, 1) - _log(-1, 1) - _log(1, -1) + _log(-1, -1)) / 4
    determinant = h_xx * h_yy - h_xy**2
    top = (h_xx < 0) & (determinant > 0)
    divisor = np.where(top, determinant, 1)
    steps = np.stack([h_xy * g_y - h_yy * g_x, h_xy * g_x - h_xx * g_y], axis=1) / divisor[:, None]
    usable = top & (np.abs(steps) <= 1).all(axis=1)
    return np.where(usable[:, None], steps, 0)


def _blurred(maps: np.ndarray, sigma_cells: float) -> np.ndarray:
    """(M, h, w) float32 maps blurred; beyond the border lies nothing."""
    side = 2 * int(np.ceil(3 * sigma_cells)) + 1
    return np.stack([cv2.GaussianBlur(one, (side, side), sigma_cells, borderType=cv2.BORDER_CONSTANT) for one in maps])
