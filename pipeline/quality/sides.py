"""Left and right: do a person's keypoints and part masks say the same?

Two kinds of label, made apart from each other, audit each other. A single joint on the other side's pixels proves nothing:
the limb in front hides the one behind it, and annotated joints stray by some pixels. So the rule asks for both joints of a
pair (wrists, elbows, ankles, knees) at once:

    the left one lies by the right limb's pixels (within NEAR of the person's size) and far from all of the left limb's
    (beyond FAR), and in the same way the right one lies by the left limb and far from the right limb.

Of two limbs that cross, one is in front: its joint lies on its own pixels, and the rule does not hold. Nor does it where the
joints or the limbs lie close together, where only one of the limbs is seen, or where another pair of the same limbs (the
elbows, for the wrists) is on its own sides by the same measure: then a single label is off, not the sides.
Hips and shoulders lie under clothes, which have no side, and are not asked. Limbs are told by the names of classes and
joints, so any label set with left and right arms, hands, legs, feet or shoes is audited; others are not.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from pipeline.taxonomy import LabelSet

NEAR, FAR = 0.03, 0.06
"""Shares of the person's longer side."""

_PARTS = {
    "arm": ("arm", "forearm", "hand"),
    "leg": ("leg", "foot", "shoe", "boot", "highheel", "sandal"),
}
_JOINTS = {"arm": ("elbow", "wrist", "hand"), "leg": ("knee", "ankle", "foot")}
_SIDES = ("left", "right")

LimbIds = Mapping[tuple[str, str], np.ndarray]
"""(limb, side) -> its class ids."""


def limb_ids(label_set: LabelSet) -> LimbIds:
    """The classes of arms and legs by side; empty where the label set does not tell sides."""
    ids: dict[tuple[str, str], np.ndarray] = {}
    for limb, words in _PARTS.items():
        for side in _SIDES:
            own = [
                label_set.id(name)
                for name in label_set.part_names
                if name.startswith(f"{side}-") and name.split("-")[-1] in words
            ]
            if own:
                ids[limb, side] = np.array(own)
    return ids


def exchanged_joints(
    keypoints: np.ndarray, keypoint_names: tuple[str, ...], parts: np.ndarray, ids: LimbIds, size_px: float
) -> list[str]:
    """The joints, named without their side, of which both lie at the other side's limb; empty where there is no contradiction.

    Args:
        keypoints: (K, 3) x, y, v.
        keypoint_names: K names.
        parts: (H, W) uint8 part ids, other people's pixels 0.
        ids: of `limb_ids`.
        size_px: the longer side of the person.
    """
    found = []
    for limb, joints in _JOINTS.items():
        points = {side: _points(parts, ids[limb, side]) for side in _SIDES if (limb, side) in ids}
        if len(points) < len(_SIDES) or not all(len(pixels) for pixels in points.values()):
            continue
        verdicts = {
            joint: _verdict(keypoints, keypoint_names, joint, points, size_px)
            for joint in joints
            if all(f"{side}-{joint}" in keypoint_names for side in _SIDES)
        }
        if "own" not in verdicts.values():
            found += [joint for joint, verdict in verdicts.items() if verdict == "exchanged"]
    return found


def _points(parts: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(N, 2) x, y of the pixels of these classes."""
    table = np.zeros(256, np.uint8)
    table[ids] = 1
    found = cv2.findNonZero(cv2.LUT(parts, table))
    return np.zeros((0, 2), np.int32) if found is None else found.reshape(-1, 2)


def _verdict(
    keypoints: np.ndarray, names: tuple[str, ...], joint: str, points: Mapping[str, np.ndarray], size_px: float
) -> str:
    """ "own" or "exchanged" where both joints of the pair say so plainly, else ""."""
    near, far = NEAR * size_px, FAR * size_px
    own, other = [], []
    for side, opposite in (_SIDES, _SIDES[::-1]):
        x, y, visibility = keypoints[names.index(f"{side}-{joint}")]
        if visibility <= 0:
            return ""
        own.append(_distance(points[side], x, y))
        other.append(_distance(points[opposite], x, y))
    if max(other) <= near and min(own) > far:
        return "exchanged"
    return "own" if max(own) <= near and min(other) > far else ""


def _distance(pixels: np.ndarray, x: float, y: float) -> float:
    return float(np.sqrt(((pixels - (x, y)) ** 2).sum(axis=1).min()))
