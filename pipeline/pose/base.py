"""What a pose estimator is, whatever finds the joints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class PoseEstimator(Protocol):
    """Finds the joints of people whose boxes are known.

    A person's result depends on that person's image and box alone, never on who else is in the call.

    Attributes:
        teacher_id: names the network and its weights; another id means other results.
        keypoint_set: name of the joints' set in pipeline.taxonomy.
    """

    teacher_id: str
    keypoint_set: str

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
