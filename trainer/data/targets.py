"""Edge maps and heatmaps of a whole batch, made where the batch lies; equal to pipeline.labels, sample by sample."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from pipeline.labels.heatmaps import DEFAULT_SIGMA_SPACE, MULA_CUT
from pipeline.params import Heatmaps
from pipeline.taxonomy import IGNORE
from trainer.data.batch import Batch
from trainer.losses import Targets
from trainer.multi_person.centroids import batch_centroid_offsets


def make_targets(
    batch: Batch,
    edge_width: int,
    heatmaps: Heatmaps,
    *,
    background: bool = False,
    missing: Literal["skip", "zero"] = "skip",
    centroids: bool = False,
) -> Targets:
    """All that the batch's outputs are compared with; edges and heatmaps are drawn where the batch does not hold them.

    Drawn heatmaps cover the input, whatever `heatmaps.size` says.

    Args:
        batch: on the device.
        edge_width: in pixels, odd.
        heatmaps: convention, stride and sigma.
        background: the maps end with one of background (MuLA), which weighs as much as the sample's heaviest keypoint.
        missing: maps of keypoints without label weigh nothing ("skip"), or are zeros to learn ("zero", as in both
            authors' code).
        centroids: also the ways from the cells about each joint, as far as sigma, to the person's centroid.
    """
    height, width = batch.masks.shape[1:]
    size = (-(-height // heatmaps.stride), -(-width // heatmaps.stride))
    if batch.heatmaps is None:
        maps = batch_heatmaps(batch.keypoints, size, heatmaps)
    else:
        maps = batch.heatmaps.float()
    edges = batch_edges(batch.masks, edge_width) if batch.edges is None else batch.edges
    weights = torch.ones_like(batch.keypoints[..., 2]) if missing == "zero" else (batch.keypoints[..., 2] > 0).float()
    if background:
        maps = torch.cat([maps, 1 - maps.amax(1, keepdim=True)], dim=1)
        weights = torch.cat([weights, weights.amax(1, keepdim=True)], dim=1)
    ways = _batch_centroids(batch.keypoints, size, heatmaps) if centroids else None
    return Targets(batch.masks.long(), edges.long(), maps, weights, ways)


def _batch_centroids(keypoints: Tensor, size: tuple[int, int], heatmaps: Heatmaps) -> tuple[Tensor, Tensor]:
    """`batch_centroid_offsets` of (N, K, 3) keypoints in input pixels; a joint's surroundings reach as far as sigma."""
    cells = torch.cat([_in_cells(keypoints[..., :2].double(), heatmaps), keypoints[..., 2:].double()], dim=-1)
    return batch_centroid_offsets(cells, size, sigma_cells(heatmaps))


def batch_edges(masks: Tensor, width: int) -> Tensor:
    """`pipeline.labels.edge_map` of (N, H, W) uint8 masks -> (N, H, W) uint8 of {0, 1}."""
    edges, valid = torch.zeros_like(masks, dtype=torch.bool), masks != IGNORE
    up, down, left, right, every = (
        slice(None, -1), slice(1, None), slice(None, -1), slice(1, None), slice(None),
    )  # fmt: skip
    for first, second, marked in (
        ((down, every), (up, every), (down, every)),
        ((every, left), (every, right), (every, left)),
        ((up, left), (down, right), (up, left)),
        ((up, right), (down, left), (up, right)),
    ):
        differs = masks[:, *first] != masks[:, *second]
        edges[:, *marked] |= differs.logical_and_(valid[:, *first]).logical_and_(valid[:, *second])
    # Bytes along one axis, then the other: with pooling, a CPU takes eight times as long for the whole.
    for axis in (1, 2):
        marks, length = edges.clone(), edges.shape[axis]
        for distance in range(1, min(width // 2, length - 1) + 1):
            for start, target in ((0, distance), (distance, 0)):
                edges.narrow(axis, target, length - distance).logical_or_(marks.narrow(axis, start, length - distance))
    return edges.to(torch.uint8)


def batch_heatmaps(keypoints: Tensor, size: tuple[int, int], heatmaps: Heatmaps) -> Tensor:
    """`pipeline.labels.gaussian_heatmaps` of (N, K, 3) keypoints -> (N, K, *size) float32.

    MuLA's map of background is not among them; `make_targets` adds it where the model has one, in any convention.
    """
    present = keypoints[..., 2] > 0
    xy = torch.where(present[..., None], keypoints[..., :2], 0).double()
    columns, rows = (_along_axis(xy[..., axis], size[1 - axis], heatmaps) for axis in (0, 1))
    maps = rows[..., :, None] * columns[..., None, :]
    if heatmaps.convention == "mula":
        maps = torch.where(maps < math.exp(-MULA_CUT), 0, maps)
    return torch.where(present[..., None, None], maps, 0).float()


def sigma_cells(heatmaps: Heatmaps) -> float:
    """The Gaussians' deviation in cells."""
    space = heatmaps.sigma_space or DEFAULT_SIGMA_SPACE[heatmaps.convention]
    return heatmaps.sigma if space == "cells" else heatmaps.sigma / heatmaps.stride


def _in_cells(positions: Tensor, heatmaps: Heatmaps) -> Tensor:
    """Positions in input pixels -> in cells; whole ones by CorrPM's convention."""
    if heatmaps.convention != "corrpm":
        return (positions + 0.5) / heatmaps.stride - 0.5
    return torch.trunc(positions / heatmaps.stride + 0.5)


def _along_axis(positions: Tensor, cells: int, heatmaps: Heatmaps) -> Tensor:
    """(N, K) positions in input pixels -> (N, K, cells) Gaussian along one axis."""
    sigma = sigma_cells(heatmaps)
    index = torch.arange(cells, device=positions.device, dtype=positions.dtype)
    distance = index - _in_cells(positions, heatmaps)[..., None]
    gaussian = torch.exp(-(distance**2) / (2 * sigma**2))
    return gaussian if heatmaps.convention != "corrpm" else torch.where(distance.abs() <= int(3 * sigma), gaussian, 0)
