"""The people of a whole image from one look of a network with the branch of centroids (MuLA section 4.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from pipeline.geometry.affine import invert, transform_points
from pipeline.params import Heatmaps
from trainer.data.augment import place, warp_image
from trainer.data.targets import sigma_cells
from trainer.models.layers import resize
from trainer.multi_person.candidates import joint_candidates
from trainer.multi_person.centroids import centroid_votes
from trainer.multi_person.grouping import group_by_centroid
from trainer.predict import CropParser

LEAST_PEAK = 0.1
"""Of a joint's heatmap; lower peaks are no candidates."""

TOGETHER = 0.1
"""Of the map's diagonal: candidates whose votes for a centroid lie farther apart are of different people."""


@torch.no_grad()
def people_of_image(parser: CropParser, image: np.ndarray) -> np.ndarray:
    """Candidates of joints, grouped by the centroids that they point to.

    No paper tells the thresholds; a peak suppresses others of its joint within the heatmaps' sigma.

    Args:
        parser: of a model that was trained with `train.centroids`.
        image: (H, W, 3) uint8 RGB.

    Returns:
        (P, K, 3) float64 x, y in image pixels and the heatmap's peak, nan where the person lacks the joint.

    Raises:
        ValueError: the model has no such branch.
    """
    card = parser.card
    placement = place(image.shape[:2], card.input_spec.size)
    fed = torch.from_numpy(warp_image(image, placement, card.input_spec.fill)[None]).to(parser.device)
    prediction = parser.model(card.input_spec.normalize(fed))
    if not prediction.centroids:
        raise ValueError(f"parser: model {card.model} has no branch of centroids, train it with train.centroids")
    stride, joints = card.heatmaps["stride"], len(card.keypoint_names)
    grid = (-(-card.input_spec.size[0] // stride), -(-card.input_spec.size[1] // stride))
    heatmaps, offsets = (
        resize(maps.float(), grid, align_corners=bool(parser.model.align_corners))[0].cpu().numpy()
        for maps in (prediction.pose[-1][:, :joints], prediction.centroids[-1])
    )
    found = joint_candidates(
        heatmaps, LEAST_PEAK, max(1, round(sigma_cells(Heatmaps.model_validate({"size": (1, 1), **card.heatmaps}))))
    )
    votes = centroid_votes(found, offsets)
    people = group_by_centroid(found, votes, joints, TOGETHER * math.hypot(*grid))
    return _in_image(people, placement.to_input, card.heatmaps)


def _in_image(people: np.ndarray, to_input: np.ndarray, heatmaps: Mapping[str, Any]) -> np.ndarray:
    """Cells -> image pixels; nan stays."""
    stride = heatmaps["stride"]
    offset = 0.0 if heatmaps["convention"] == "corrpm" else stride / 2 - 0.5
    points = transform_points(invert(to_input), people[..., :2].reshape(-1, 2) * stride + offset)
    return np.concatenate([points.reshape(*people.shape[:2], 2), people[..., 2:]], axis=2)
