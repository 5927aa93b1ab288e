"""Scores of a parser's answers over crops: the same for validation while training and for evaluation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.data.loading import JudgedItem
from trainer.metrics import ParsingMetrics, PckhCounts, best_constant
from trainer.predict import Answer


class PixelScores:
    """Counts pixels, scores them at the end; what another process has counted can be merged.

    Attributes:
        parsing: the pixel counts.
    """

    def __init__(self, label_set: LabelSet, keypoint_set: KeypointSet) -> None:
        """Start with nothing; both sets are the model's."""
        self.label_set = label_set
        self.keypoint_set = keypoint_set
        self.parsing = ParsingMetrics(len(label_set))

    def merge(self, other: Any) -> None:
        """Add what another one of the same kind has counted."""
        self.parsing.merge(other.parsing)

    def compute(self) -> dict[str, Any]:
        """scores: name -> percent; iou: class -> percent; pckh: joint -> percent; constant: the best constant answer.

        What is undefined (a class or joint that does not occur) is None.
        """
        pixels = self.parsing.compute()
        iou = pixels.pop("iou")
        best, floor = best_constant(self.parsing.confusion.sum(1), self.parsing.absent)
        return {
            "scores": {name: defined(score) for name, score in pixels.items()},
            "iou": dict(zip(self.label_set.part_names, map(defined, iou), strict=True)),
            "pckh": {},
            "constant": {"class": self.label_set.part_names[best], "mean_iou": defined(floor)},
        }


class Scores(PixelScores):
    """Pixels, and PCKh by LIP's rules where the keypoint set has a head to measure by and the model a pose head."""

    def __init__(self, label_set: LabelSet, keypoint_set: KeypointSet) -> None:
        """Start with nothing."""
        super().__init__(label_set, keypoint_set)
        names = keypoint_set.keypoint_names
        self.joints: PckhCounts | None = None
        if {"neck", "head-top"} <= set(names):
            skip = [names.index(name) for name in ("pelvis", "thorax") if name in names]
            self.joints = PckhCounts(len(names), (names.index("neck"), names.index("head-top")), skip=skip)
        self._posed = False

    def update(self, item: JudgedItem, answer: Answer) -> None:
        """Count one crop."""
        self.parsing.update(answer.counted, item.mask)
        if self.joints is not None and len(answer.keypoints):
            self._posed = True
            truth = np.where(item.keypoints[:, 2:] > 0, item.keypoints[:, :2], np.nan)
            self.joints.update(answer.keypoints[None, :, :2], truth[None])

    def merge(self, other: Scores) -> None:
        """Add what another one has counted."""
        super().merge(other)
        self._posed |= other._posed
        if self.joints is not None and other.joints is not None:
            self.joints.merge(other.joints)

    def compute(self) -> dict[str, Any]:
        """As PixelScores, with pckh_mean and pckh_upper_body among the scores."""
        judged = super().compute()
        if self.joints is not None and self._posed:
            joints = self.joints.compute()
            names = self.keypoint_set.keypoint_names
            judged["pckh"] = dict(zip(names, map(defined, joints["joint"]), strict=True))
            judged["scores"] |= {f"pckh_{name}": defined(joints[name]) for name in ("mean", "upper_body")}
        return judged


def defined(score: float) -> float | None:
    """The score, or None where it is nan."""
    return None if math.isnan(score) else score
