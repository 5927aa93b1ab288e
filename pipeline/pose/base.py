"""What a pose estimator is, whatever finds the joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

Decoding = Literal["quarter", "dark"]
"""How a heatmap's peak becomes a point: see pipeline.pose.decoding and pipeline.pose.dark."""


@dataclass(frozen=True)
class PoseSettings:
    """How an estimator goes about it; with the teacher's id all that decides the joints.

    Attributes:
        flip: average with the mirrored view.
        decoding: of crop networks' heatmaps; a Keypoint R-CNN has its own.
    """

    flip: bool = True
    decoding: Decoding = "quarter"


DEFAULT_SETTINGS = PoseSettings()


class PoseEstimator(Protocol):
    """Finds the joints of people whose boxes are known.

    A person's result depends on that person's image and box alone, never on who else is in the call (on a GPU: but
    for the last bits).

    Attributes:
        teacher_id: names the network and its weights; another id means other results.
        keypoint_set: name of the joints' set in pipeline.taxonomy.
        settings: how it goes about it.
    """

    teacher_id: str
    keypoint_set: str
    settings: PoseSettings

    @property
    def halvings(self) -> int:
        """How often a batch did not fit the GPU's memory; every time it was halved and the work went on."""

    def estimate(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Joints of the people of one image.

        Args:
            image: (H, W, 3) uint8 RGB.
            boxes: (N, 4) x, y, w, h in image pixels.

        Returns:
            (N, K, 3) float32: x, y in image pixels, confidence in [0, 1].
        """

    def estimate_many(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """As `estimate`, for several images; one (N, K, 3) array each. Faster where images have few people."""


def checked_people(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The boxes, when they and the image are what `estimate` takes.

    Raises:
        ValueError: they are not, or a box has no area.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3)")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: shape {boxes.shape}, expected (N, 4)")
    flat = ~((boxes[:, 2:] > 0).all(axis=1) & np.isfinite(boxes).all(axis=1))
    if flat.any():
        raise ValueError(f"boxes: {boxes[flat][0].tolist()} has no area, expected x, y and a width and height above 0")
    return boxes
