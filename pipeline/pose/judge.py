"""Judging COCO-style joints against the annotated joints of LIP."""

from __future__ import annotations

import numpy as np

from pipeline.taxonomy import convert_keypoints, keypoint_set

HEAD_SEGMENT = ("neck", "head-top")
"""LIP's own head size: the distance of these two joints (MuLA, utils/calc_pckh.py)."""


def pckh_shared(pred: np.ndarray, truth: np.ndarray, threshold: float = 0.5) -> dict[str, float]:
    """PCKh of coco17 joints on people annotated with lip16, over the twelve joints that both sets have.

    A joint is right if it lies within `threshold` head sizes of the annotated one. The head size is the distance of
    neck and head-top, without a factor; people who lack either are left out, and so are joints that are not
    annotated. Pelvis, thorax, neck and head-top are not judged: COCO lacks them, and LIP's average leaves out the
    first two as well.

    Args:
        pred: (N, 17, 3) x, y, confidence.
        truth: (N, 16, 3) x, y, v in the same pixels.

    Returns:
        "pckh" in percent, pooled over all judged joints (nan without any), "people" and "joints" judged.

    Raises:
        ValueError: the shapes do not fit.
    """
    coco, lip = keypoint_set("coco17"), keypoint_set("lip16")
    if pred.ndim != 3 or pred.shape[1:] != (len(coco), 3):
        raise ValueError(f"pred: shape {pred.shape}, expected (N, {len(coco)}, 3)")
    if truth.shape != (len(pred), len(lip), 3):
        raise ValueError(f"truth: shape {truth.shape}, expected ({len(pred)}, {len(lip)}, 3)")
    ours = convert_keypoints(pred, coco, lip)
    shared = np.array([name in coco.keypoint_names for name in lip.keypoint_names])
    ends = truth[:, [lip.keypoint_names.index(name) for name in HEAD_SEGMENT]]
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
