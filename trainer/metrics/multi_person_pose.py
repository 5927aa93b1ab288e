"""Multi-person pose by MPII's protocol (Pishchulin et al., DeepCut): mAP of joints, people matched by PCKh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trainer.metrics.part_ap import average_precision

HEAD_SHARE = 0.6
"""MPII's head size: this share of the diagonal of the head's box."""


def multi_person_pose_ap(
    predictions: Sequence[np.ndarray],
    truths: Sequence[Mapping[str, np.ndarray]],
    joints: Sequence[int] | None = None,
    threshold: float = 0.5,
) -> dict[str, Any]:
    """mAP of joints by MPII's multi-person protocol, PCKh 0.5.

    In each image a predicted person belongs to the true person of whom it hits the largest share of annotated joints
    (the first of equals), and a true person takes the best of those that belong to it. The joints of a taken person are
    right where they hit, all joints of the others are wrong; so are joints that the true person has no annotation for.
    Per joint, all predictions of all images by falling score give an area under the envelope of precision over recall.

    PASCAL-Person-Part's own scorer is lost; this is what the set's pose results are given in here.

    Args:
        predictions: one (P, K, 3) per image: x, y in pixels and the joint's score; nan where the person lacks a joint.
        truths: one per image, in the same order: "keypoints" (G, K, 2), nan where not annotated, and "head" (G,), the
            head's size in pixels (`head_sizes`). A person whose head size is nan is no truth.
        joints: indices of the joints that count; all unless given.
        threshold: share of the head's size within which a joint is hit.

    Returns:
        Percent, nan where nothing is annotated: "mean" over the judged joints, "joint": list of one AP per judged joint.

    Raises:
        ValueError: shapes, lengths or indices that do not fit.
    """
    if len(predictions) != len(truths):
        raise ValueError(f"predictions: {len(predictions)} images, truths: {len(truths)}, expected as many")
    images = [_checked(found, true, place) for place, (found, true) in enumerate(zip(predictions, truths, strict=True))]
    counts = {array.shape[1] for found, points, _ in images for array in (found, points)}
    if len(counts) > 1:
        raise ValueError(f"predictions: {sorted(counts)} joints in the images, expected one number")
    every = list(range(counts.pop() if counts else 0))
    judged = every if joints is None else list(joints)
    if not set(judged) <= set(every):
        raise ValueError(f"joints: {judged}, expected indices from 0 to {len(every) - 1}")
    labelled = [_label(found[:, judged], points[:, judged], head, threshold) for found, points, head in images]
    scores = [_joint_ap(images, labelled, place, joint) for place, joint in enumerate(judged)]
    defined = [score for score in scores if not np.isnan(score)]
    return {"mean": float(np.mean(defined)) if defined else float("nan"), "joint": scores}


def head_sizes(boxes: np.ndarray) -> np.ndarray:
    """(G, 4) boxes x, y, w, h of heads -> (G,) head sizes in pixels, as MPII has them; nan for an empty box."""
    diagonals = np.hypot(boxes[:, 2], boxes[:, 3])
    return np.where((boxes[:, 2:] > 0).all(1), HEAD_SHARE * diagonals, np.nan)


_Image = tuple[np.ndarray, np.ndarray, np.ndarray]


def _checked(found: np.ndarray, true: Mapping[str, np.ndarray], place: int) -> _Image:
    """Predictions (P, K, 3), true keypoints (G, K, 2) and head sizes (G,) of the people whose head size is known."""
    found, points, head = (np.asarray(array, np.float64) for array in (found, true["keypoints"], true["head"]))
    if found.ndim != 3 or found.shape[2] != 3:
        raise ValueError(f"predictions[{place}]: shape {found.shape}, expected (P, K, 3)")
    if points.ndim != 3 or points.shape[2] != 2:
        raise ValueError(f"truths[{place}]: keypoints of shape {points.shape}, expected (G, K, 2)")
    if head.shape != (len(points),) or (head <= 0).any():
        raise ValueError(f"truths[{place}]: head {head.tolist()}, expected {len(points)} positive sizes or nan")
    known = ~np.isnan(head)
    return found, points[known], head[known]


def _label(found: np.ndarray, points: np.ndarray, head: np.ndarray, threshold: float) -> np.ndarray:
    """(P, K) bool: the predicted joint is right."""
    right = np.zeros(found.shape[:2], bool)
    if not len(found) or not len(points):
        return right
    with np.errstate(invalid="ignore"):
        distances = np.linalg.norm(found[:, None, :, :2] - points[None], axis=-1) / head[None, :, None]
        hits = distances <= threshold  # (P, G, K); nan is no hit
    annotated = (~np.isnan(points).any(-1)).sum(1)
    shares = hits.sum(2) / np.maximum(annotated, 1)
    belongs = shares.argmax(1)
    own = np.zeros_like(shares)
    rows = np.arange(len(found))
    own[rows, belongs] = shares[rows, belongs]
    taken = own.argmax(0)
    for person, prediction in enumerate(taken):
        if own[prediction, person] > 0:
            right[prediction] = hits[prediction, person]
    return right


def _joint_ap(images: Sequence[_Image], labelled: Sequence[np.ndarray], place: int, joint: int) -> float:
    total = sum(int((~np.isnan(points[:, joint]).any(-1)).sum()) for _, points, _ in images)
    if not total:
        return float("nan")
    given = [~np.isnan(found[:, joint]).any(-1) for found, _, _ in images]
    scores = np.concatenate([found[kept, joint, 2] for (found, _, _), kept in zip(images, given, strict=True)])
    right = np.concatenate([labels[kept, place] for labels, kept in zip(labelled, given, strict=True)])
    return 100 * average_precision(right[np.argsort(-scores, kind="stable")], total)
