"""COCO: AP of people's keypoints over whole images, and the pixel scores of the label set."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.errors import DataError, ParamsError
from pipeline.records import People
from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.metrics.coco import keypoint_set_ap
from trainer.protocols.base import ImageProtocol
from trainer.protocols.images import JudgedImage
from trainer.scoring import defined


class Coco(ImageProtocol):
    """Keypoint AP over OKS .50:.05:.95, AP at .50 and .75, of medium and of large people."""

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **ImageProtocol.RULES,
            "keypoints": "OKS AP by pycocotools' COCOeval, at most 20 people an image; a person's area is that of the mask, "
            "where there is none that of the box",
            "keypoint_score": "the person's score times the mean of the joints' peaks",
        }
    )

    def __init__(self, label_set: LabelSet, keypoint_set: KeypointSet) -> None:
        """Start with nothing."""
        super().__init__(label_set, keypoint_set)
        self._found: list[Mapping[str, np.ndarray]] = []
        self._true: list[Mapping[str, np.ndarray]] = []

    def update(self, image: JudgedImage) -> None:
        """Count one image; see ImageProtocol.

        Raises:
            ParamsError: the model has no pose head.
        """
        super().update(image)
        truth, people = image.source.keypoints, image.source.record.people
        if truth is None:
            raise DataError(f"{image.source.name} has no annotated joints, by which evaluate.protocol coco judges")
        self._true.append(
            {"keypoints": truth, "areas": areas(people), "boxes": people.boxes, "crowd": people.crowd},
        )
        self._found.append({"keypoints": image.keypoints, "scores": keypoint_scores(image)})

    def merge(self, other: Coco) -> None:
        """Add what another one has counted, behind one's own."""
        super().merge(other)
        self._found += other._found
        self._true += other._true

    def compute(self) -> dict[str, Any]:
        """As PixelScores, with keypoint_ap, keypoint_ap50, keypoint_ap75, keypoint_ap_medium, keypoint_ap_large."""
        judged = super().compute()
        found = keypoint_set_ap(self._found, self._true, self.keypoint_set)
        judged["scores"] |= {f"keypoint_{name}": defined(value) for name, value in found.items()}
        return judged


def keypoint_scores(image: JudgedImage) -> np.ndarray:
    """(N,) float64 how sure it is of each person's joints.

    Raises:
        ParamsError: the model has no pose head.
    """
    if not len(image.scores):
        return image.scores
    if not image.keypoints.shape[1]:
        raise ParamsError("evaluate.protocol: coco judges joints, and the model has no pose head. Train one that has")
    scores: np.ndarray = image.scores * image.keypoints[..., 2].mean(axis=1)
    return scores


def areas(people: People) -> np.ndarray:
    """(N,) float64 pixels of each person's mask, of the box where only that is known."""
    boxes = people.boxes[:, 2] * people.boxes[:, 3]
    return np.array(
        [float(box if rle is None else coco_mask.area(rle)) for box, rle in zip(boxes, people.rles, strict=True)]
    )
