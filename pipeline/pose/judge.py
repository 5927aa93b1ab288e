"""Judging joints of one set against annotated joints of another, over those that both have."""

from __future__ import annotations

import numpy as np

from pipeline.taxonomy import KEYPOINT_SETS, KeypointSet, convert_keypoints

HEAD_SEGMENTS = (("neck", "head-top"), ("neck", "forehead"))
"""The two joints whose distance is the head's size. LIP's own scorer takes neck and head top, without a factor (MuLA,
utils/calc_pckh.py). PASCAL has the forehead instead, which lies lower: the same limit is stricter there."""


def head_segment(keypoints: KeypointSet) -> tuple[str, str] | None:
    """The ends of the head in a keypoint set; None where it has none."""
    return next((ends for ends in HEAD_SEGMENTS if set(ends) <= set(keypoints.keypoint_names)), None)


def pckh_shared(
    pred: np.ndarray,
    truth: np.ndarray,
    annotated: KeypointSet = KEYPOINT_SETS["lip16"],
    estimated: KeypointSet = KEYPOINT_SETS["coco17"],
    threshold: float = 0.5,
) -> dict[str, float]:
    """PCKh of joints on people whose annotated joints are of another set, over the joints of the same name in both.

    With coco17 and lip16, or pascal14, these are twelve: shoulders, elbows, wrists, hips, knees and ankles. A joint is
    right if it lies within `threshold` head sizes of the annotated one. The head size is the distance of the two
    annotated joints of HEAD_SEGMENTS, without a factor; people who lack either are left out, and so are joints that
    are not annotated.

    Args:
        pred: (N, K, 3) x, y, confidence.
        truth: (N, L, 3) x, y, v in the same pixels.
        annotated, estimated: the sets of `truth` and of `pred`.

    Returns:
        "pckh" in percent, pooled over all judged joints (nan without any), "people" and "joints" judged.

    Raises:
        ValueError: the shapes do not fit, or `annotated` has no ends of a head.
    """
    if pred.ndim != 3 or pred.shape[1:] != (len(estimated), 3):
        raise ValueError(f"pred: shape {pred.shape}, expected (N, {len(estimated)}, 3)")
    if truth.shape != (len(pred), len(annotated), 3):
        raise ValueError(f"truth: shape {truth.shape}, expected ({len(pred)}, {len(annotated)}, 3)")
    segment = head_segment(annotated)
    if segment is None:
        raise ValueError(f"annotated: {annotated.name!r} has no head size, expected neck and head-top, or forehead")
    names = annotated.keypoint_names
    ours = convert_keypoints(pred, estimated, annotated)
    shared = np.array([name in estimated.keypoint_names and name not in segment for name in names])
    ends = truth[:, [names.index(name) for name in segment]]
    head = np.linalg.norm(ends[:, 0, :2] - ends[:, 1, :2], axis=1)
    known = (ends[..., 2] > 0).all(axis=1) & (head > 0)
    judged = (truth[..., 2] > 0) & known[:, None] & shared
    distance = np.linalg.norm(ours[..., :2] - truth[..., :2], axis=2)
    right = judged & (distance <= threshold * head[:, None])
    joints = int(judged.sum())
    return {
        "pckh": 100 * float(right.sum()) / joints if joints else float("nan"),
        "people": float(judged.any(axis=1).sum()),
        "joints": float(joints),
    }
