"""Keypoints outside the image, and visible keypoints far from their person."""

from __future__ import annotations

import numpy as np

MARGIN_PX = 1.0
"""How far beyond the outermost pixels' centres a keypoint may lie: annotation tools clip to the image's rim."""

LEAST_JOINTS = 3
"""Joints that a person has to have for a verdict on all of them together."""

_VISIBLE = 2


def outside_image(keypoints: np.ndarray, image_hw: tuple[int, int]) -> list[int]:
    """Indices of annotated keypoints that lie outside the image by more than MARGIN_PX.

    Args:
        keypoints: (K, 3) x, y, v.
        image_hw: (height, width).
    """
    x, y, visibility = keypoints.T
    height, width = image_hw
    far = (x < -MARGIN_PX) | (y < -MARGIN_PX) | (x > width - 1 + MARGIN_PX) | (y > height - 1 + MARGIN_PX)
    return [int(index) for index in np.flatnonzero((visibility > 0) & far)]


def outside_person(
    keypoints: np.ndarray, extent: np.ndarray, tolerance_px: float, hidden_told: bool = True
) -> list[tuple[int, float]]:
    """(index, distance in pixels) of visible keypoints that lie farther than `tolerance_px` from their person.

    Occluded keypoints (v 1) are not judged: they lie behind something else, where the person has no pixel. Where the source
    does not tell hidden joints, any single one may be hidden: then a person's keypoints are found all together, when each
    of them, three at least, lies outside. Keypoints outside the image are `outside_image`'s.

    Args:
        keypoints: (K, 3) x, y, v.
        extent: (H, W) bool, the person's pixels or its box; has some.
        tolerance_px: distance to the nearest pixel of the extent that passes.
        hidden_told: whether v 2 means visible, not just annotated.
    """
    height, width = extent.shape
    beyond = set(outside_image(keypoints, (height, width)))
    judged = [int(index) for index in np.flatnonzero(keypoints[:, 2] == _VISIBLE) if index not in beyond]
    strays = [index for index in judged if not _covers(extent, *keypoints[index, :2])]
    if not strays or (not hidden_told and (len(strays) < len(judged) or len(judged) < LEAST_JOINTS)):
        return []
    pixels = np.argwhere(extent)[:, ::-1]
    distances = [float(np.sqrt(((pixels - keypoints[index, :2]) ** 2).sum(axis=1).min())) for index in strays]
    far = [(index, distance) for index, distance in zip(strays, distances, strict=True) if distance > tolerance_px]
    return far if hidden_told or len(far) == len(judged) else []


def _covers(extent: np.ndarray, x: float, y: float) -> bool:
    row, column = round(y), round(x)
    return 0 <= row < extent.shape[0] and 0 <= column < extent.shape[1] and bool(extent[row, column])
