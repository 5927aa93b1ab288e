"""CorrPM's released code: LIP's folders in images_labels/, joints in TrainVal_pose_annotations/LIP_SP_<SPLIT>_annotations.json.

Its loader knows LIP's 16 joints only, takes a joint whose x + y is 0 for missing, and looks joints up by the file name as
far as its first dot.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from pipeline.errors import ParamsError
from pipeline.export.lip_folders import write_lip_split
from pipeline.export.lip_rules import refuse_unlike_lip
from pipeline.export.target import NamedSamples, Target
from pipeline.records import Sample
from pipeline.taxonomy import KEYPOINT_SETS, convert_keypoints

_LIP16 = KEYPOINT_SETS["lip16"]
_NUDGE = 0.01
"""Pixels that a joint is moved by whose coordinates would read as missing."""


class CorrPM:
    """The folder LIP/ of CorrPM's README."""

    version = 1
    escaped = r"\."

    def __init__(self, target: Target) -> None:
        refuse_unlike_lip(target.parts, "corrpm")
        if target.keypoints is None:
            raise ParamsError("--format corrpm: the samples have no joints, CorrPM learns from LIP's 16. Take schp")
        everything = np.ones((len(target.keypoints), 3), np.float32)
        if not convert_keypoints(everything, target.keypoints, _LIP16).any():
            raise ParamsError(
                f"--format corrpm: keypoint set {target.keypoints.name!r} shares no joint with lip16, which CorrPM's code "
                "is made for. Name its joints as lip16 does, or take coco"
            )
        self._target = target

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Images, masks, the list and the joints of a split."""
        folder = self._target.folder / "TrainVal_pose_annotations"
        folder.mkdir(exist_ok=True)
        table = folder / f"LIP_SP_{split.upper()}_annotations.json"
        root = self._target.folder / "images_labels"
        with table.open("w", encoding="utf-8", newline="\n") as file:
            lead = '{"root": [\n'
            for stem, sample in write_lip_split(root, split, samples, self._target.tally, "corrpm"):
                joints = self._joints(sample)
                file.write(lead + json.dumps({"im_name": f"{stem}.jpg", "joint_self": joints}))
                lead = ",\n"
            file.write(("" if lead.startswith(",") else lead) + "\n]}\n")

    def _joints(self, sample: Sample) -> list[list[float]]:
        """16 x [x, y]; 0, 0 is a missing joint."""
        joints = np.zeros((len(_LIP16), 3), np.float32)
        if sample.keypoints is not None and self._target.keypoints is not None:
            joints = convert_keypoints(sample.keypoints, self._target.keypoints, _LIP16)
        known = joints[:, 2] > 0
        self._target.tally["joints"] += int(known.sum())
        self._target.tally["missing_joints"] += int((~known).sum())
        found = np.where(known[:, None], joints[:, :2], 0).astype(np.float64)
        found[known & (found.sum(axis=1) == 0), 0] += _NUDGE
        return [[round(x, 4), round(y, 4)] for x, y in found.tolist()]

    def finish(self) -> dict[str, Any]:
        """Nothing belongs to the whole."""
        return {"joints": list(_LIP16.keypoint_names)}
