"""Scores of a parser's answers over a split: the same for validation while training and for evaluation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.data.loading import JudgedItem
from trainer.metrics import ParsingMetrics, best_constant, pckh
from trainer.predict import Answer


@dataclass(eq=False)
class Scores:
    """Accumulates answers, scores them at the end.

    Attributes:
        parsing: the pixel counts.
    """

    label_set: LabelSet
    keypoint_set: KeypointSet
    parsing: ParsingMetrics = field(init=False)
    _found: list[np.ndarray] = field(init=False, default_factory=list)
    _truth: list[np.ndarray] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.parsing = ParsingMetrics(len(self.label_set))

    def update(self, item: JudgedItem, answer: Answer) -> None:
        """Count one sample."""
        self.parsing.update(answer.mask, item.mask)
        if len(answer.keypoints):
            self._found.append(answer.keypoints[:, :2])
            self._truth.append(np.where(item.keypoints[:, 2:] > 0, item.keypoints[:, :2], np.nan))

    def compute(self) -> dict[str, Any]:
        """scores: name -> percent; iou: class -> percent; pckh: joint -> percent; constant: the best constant answer.

        What is undefined (a class or joint that does not occur) is None.
        """
        pixels = self.parsing.compute()
        iou = pixels.pop("iou")
        best, floor = best_constant(self.parsing.confusion.sum(1), self.parsing.absent)
        joints = self._pckh()
        scores = {**pixels, **{f"pckh_{name}": joints[name] for name in ("mean", "upper_body") if joints}}
        return {
            "scores": {name: _defined(score) for name, score in scores.items()},
            "iou": dict(zip(self.label_set.part_names, map(_defined, iou), strict=True)),
            "pckh": dict(zip(self.keypoint_set.keypoint_names, map(_defined, joints.get("joint", ())), strict=False)),
            "constant": {"class": self.label_set.part_names[best], "mean_iou": _defined(floor)},
        }

    def _pckh(self) -> dict[str, Any]:
        """PCKh by LIP's rules, empty where the keypoint set has no head to measure by or the model no pose head."""
        names = self.keypoint_set.keypoint_names
        if not self._found or not {"neck", "head-top"} <= set(names):
            return {}
        skip = [names.index(name) for name in ("pelvis", "thorax") if name in names]
        head = (names.index("neck"), names.index("head-top"))
        return pckh(np.stack(self._found), np.stack(self._truth), head=head, skip=skip)


def _defined(score: float) -> float | None:
    return None if math.isnan(score) else score
