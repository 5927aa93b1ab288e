"""What a person detector is, whatever finds the people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pipeline.records import People

SCORE_FLOOR = 0.05
"""Raw people of lower scores are not told."""


class PersonDetector(Protocol):
    """Finds people. On the CPU every image goes through the network alone, so that a result never depends on others.

    On a GPU images go through it in batches and in half precision; a batch that the GPU's memory does not hold is halved.

    Attributes:
        teacher_id: names the network and its weights; another id means other results.
    """

    teacher_id: str

    @property
    def batch_size(self) -> int:
        """Images that go through the network at once; more in one call of `detect_many` gain nothing."""

    @property
    def halvings(self) -> int:
        """How often so far a batch was halved because a GPU ran out of memory."""

    def detect(self, image: np.ndarray) -> People:
        """People of an image, before any choice of ours.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            People by falling score, from score 0.05 up and after the network's own NMS: boxes in image pixels, masks
            as RLE over the whole image (a mask may be empty), no keypoints, ids 1 ... N.
        """

    def detect_many(self, images: Sequence[np.ndarray]) -> list[People]:
        """As `detect`, for several images; in batches on a GPU."""
