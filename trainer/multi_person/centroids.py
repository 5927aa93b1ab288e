"""The dense regression of people's centroids, which tells joints of one person from another's.

As in Pose Partition Networks (Nie et al., ECCV 2018), the model that MuLA's pose network is on PASCAL-Person-Part: around
every joint, two maps per joint hold the way to the centroid of its person, in units of the map's diagonal.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from trainer.multi_person.candidates import Candidates


def centroid_offsets(keypoints: np.ndarray, size: tuple[int, int], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """What the regression is to give for the people of an image.

    A person's centroid is the mean of its annotated joints. Where the surroundings of two people's joints meet, each
    cell belongs to the nearer joint, to the first of equals.

    Args:
        keypoints: (P, K, 3) x, y, v in cells; v <= 0 is not annotated.
        size: (h, w) of the maps.
        radius: of a joint's surroundings, in cells.

    Returns:
        (2 K, h, w) float32: for joint k, x at 2 k and y at 2 k + 1, from the cell to the centroid in map diagonals; and
        (K, h, w) bool, the cells that have such a way.

    Raises:
        ValueError: the keypoints have another shape.
    """
    people = np.asarray(keypoints, np.float64)
    if people.ndim != 3 or people.shape[2] != 3:
        raise ValueError(f"keypoints: shape {people.shape}, expected (P, K, 3)")
    joints, (height, width) = people.shape[1], size
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    ways = np.zeros((joints, 2, height, width))
    nearest = np.full((joints, height, width), np.inf)
    for person in people:
        annotated = person[:, 2] > 0
        if not annotated.any():
            continue
        centre_x, centre_y = person[annotated, :2].mean(0)
        for joint in np.flatnonzero(annotated):
            distance = np.hypot(columns - person[joint, 0], rows - person[joint, 1])
            near = (distance <= radius) & (distance < nearest[joint])
            nearest[joint][near] = distance[near]
            ways[joint, 0][near] = centre_x - columns[near]
            ways[joint, 1][near] = centre_y - rows[near]
    return (ways / _diagonal(size)).reshape(2 * joints, height, width).astype(np.float32), np.isfinite(nearest)


def batch_centroid_offsets(keypoints: Tensor, size: tuple[int, int], radius: float) -> tuple[Tensor, Tensor]:
    """`centroid_offsets` of a batch of single people, made where the batch lies.

    Args:
        keypoints: (N, K, 3) x, y, v in cells.
        size: (h, w) of the maps.
        radius: of a joint's surroundings, in cells.

    Returns:
        (N, 2 K, h, w) float32 and (N, K, h, w) bool.
    """
    annotated = keypoints[..., 2] > 0
    xy = torch.where(annotated[..., None], keypoints[..., :2], 0).double()
    centre = xy.sum(1) / annotated.sum(1, keepdim=True).clamp(min=1)
    rows, columns = (torch.arange(side, device=xy.device, dtype=xy.dtype) for side in size)
    across, down = columns - xy[..., None, 0:1], rows[:, None] - xy[..., None, 1:2]
    cells = (torch.hypot(across, down) <= radius) & annotated[..., None, None]
    to_x, to_y = centre[:, 0, None, None, None] - columns, centre[:, 1, None, None, None] - rows[:, None]
    both = torch.stack([to_x.expand(cells.shape), to_y.expand(cells.shape)], dim=2)
    ways = torch.where(cells[:, :, None], both, 0) / _diagonal(size)
    return ways.flatten(1, 2).float(), cells


def centroid_loss(offsets: Tensor, truth: Tensor, cells: Tensor, count: Tensor | None = None) -> Tensor:
    """Smooth L1 of the regression, a mean over the cells that have a way, 0 where there are none.

    Args:
        offsets: (N, 2 K, h, w), what the network gives.
        truth: (N, 2 K, h, w). cells: (N, K, h, w) bool.
        count: cells that have a way in the batch that these samples are a part of; None is these alone.
    """
    both = cells.repeat_interleave(2, dim=1)
    summed = functional.smooth_l1_loss(offsets.float() * both, truth * both, reduction="sum")
    return summed / (2 * (cells.sum() if count is None else count.float())).clamp(min=1)


def centroid_votes(found: Candidates, offsets: np.ndarray) -> np.ndarray:
    """(M, 2) float64 x, y in cells: where each candidate says that its person's centroid is.

    Args:
        found: candidates in cells.
        offsets: (2 K, h, w) of the same image.
    """
    columns, rows = np.rint(found.xy).astype(int).T
    ways = np.stack([offsets[2 * found.joint, rows, columns], offsets[2 * found.joint + 1, rows, columns]], axis=1)
    return found.xy + ways * _diagonal(offsets.shape[1:])


def _diagonal(size: tuple[int, ...]) -> float:
    return math.hypot(*size)
