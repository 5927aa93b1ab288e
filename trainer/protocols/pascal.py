"""PASCAL-Person-Part: pixel scores over whole images, and the pose mAP of MPII's multi-person protocol."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import cv2
import numpy as np

from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.metrics import multi_person_pose_ap
from trainer.metrics.multi_person_pose import head_sizes
from trainer.protocols.base import ImageProtocol
from trainer.protocols.images import JudgedImage
from trainer.scoring import defined

HEAD, ON_HEAD = "head", "forehead"
"""The part that a head's size is measured by, and the joint that lies on it."""


class Pascal(ImageProtocol):
    """Mean IoU over all classes; mAP of joints where the model has a pose head and the data set these joints."""

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **ImageProtocol.RULES,
            "pose": "the set's own scorer is lost; multi_person_pose_ap is MPII's multi-person protocol, PCKh at 0.5, head "
            "size 0.6 of the diagonal of the head mask's box under the forehead; images without annotated joints and people "
            "without a head size count neither way",
        }
    )

    def __init__(self, label_set: LabelSet, keypoint_set: KeypointSet) -> None:
        """Start with nothing."""
        super().__init__(label_set, keypoint_set)
        self.head = label_set.part_names.index(HEAD) if HEAD in label_set.part_names else None
        names = keypoint_set.keypoint_names
        self.forehead = names.index(ON_HEAD) if ON_HEAD in names else None
        self._found: list[np.ndarray] = []
        self._true: list[Mapping[str, np.ndarray]] = []

    def update(self, image: JudgedImage) -> None:
        """Count one image; see ImageProtocol."""
        super().update(image)
        truth = image.source.keypoints
        if self.head is None or self.forehead is None or truth is None or not (truth[..., 2] > 0).any():
            return
        if len(image.scores) and not image.keypoints.shape[1]:
            return
        points = np.where(truth[..., 2:] > 0, truth[..., :2], np.nan)
        heads = head_boxes(image.source.require_parts() == self.head, points[:, self.forehead])
        self._true.append({"keypoints": points, "head": head_sizes(heads)})
        crops = image.keypoints if len(image.scores) else np.zeros((0, truth.shape[1], 3))
        self._found.append(crops if image.grouped is None else image.grouped)

    def merge(self, other: Pascal) -> None:
        """Add what another one has counted, behind one's own."""
        super().merge(other)
        self._found += other._found
        self._true += other._true

    def compute(self) -> dict[str, Any]:
        """As PixelScores, with multi_person_pose_ap among the scores, and pose_ap: joint -> AP; both where it was judged."""
        judged = super().compute()
        if any(map(len, self._found)):
            pose = multi_person_pose_ap(self._found, self._true)
            judged["scores"]["multi_person_pose_ap"] = defined(pose["mean"])
            judged["pose_ap"] = dict(zip(self.keypoint_set.keypoint_names, map(defined, pose["joint"]), strict=True))
        return judged


def head_boxes(heads: np.ndarray, foreheads: np.ndarray) -> np.ndarray:
    """(N, 4) x, y, w, h around the connected head pixels that each forehead lies on; zeros where it lies on none.

    Args:
        heads: (H, W) bool, the heads of all people.
        foreheads: (N, 2) x, y in pixels, nan where not annotated.
    """
    _, regions, stats, _ = cv2.connectedComponentsWithStats(heads.astype(np.uint8), connectivity=8)
    boxes = np.zeros((len(foreheads), 4))
    for row, point in enumerate(foreheads):
        if np.isnan(point).any():
            continue
        x, y = np.rint(point).astype(int)
        if 0 <= y < heads.shape[0] and 0 <= x < heads.shape[1] and heads[y, x]:
            boxes[row] = stats[regions[y, x], : cv2.CC_STAT_AREA]
    return boxes
