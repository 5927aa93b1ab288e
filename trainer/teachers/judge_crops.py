"""Judging the pose teacher where it works: on the crops of a data set whose joints are annotated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from pipeline.geometry.affine import transform_points
from pipeline.pose.crops import box_in_crop
from pipeline.pose.judge import head_segment, pckh_shared
from pipeline.records import Sample
from pipeline.steps.estimating import RawJoints
from pipeline.taxonomy import KeypointSet, keypoint_set
from trainer.metrics.coco import keypoint_ap

_IGNORED = 255


def judge_on_crops(
    crops: Iterable[Sample], raw_joints: RawJoints, annotated: KeypointSet, most: int
) -> dict[str, float] | None:
    """The teacher's joints against the annotated ones of the first `most` people who have any.

    Args:
        crops: people as the crop stage leaves them.
        raw_joints: the teacher's; it sees the crop and the person's box in it.
        annotated: the set of their joints.

    Returns:
        Where the annotated joints are the teacher's own: COCOeval's "oks_ap", "oks_ap50" and "oks_ap75" in 0 ... 1, people
        of one source image judged together, a person's area being the pixels of the mask, or of the box without one.
        Elsewhere "pckh" in percent; see `pckh_shared`. Beside either, "people" and "joints" judged and the teacher's
        "mean_confidence". None where neither figure can be had: nobody has such joints, or the sets differ and `annotated`
        has no ends of a head.
    """
    ours = keypoint_set(raw_joints.estimator.keypoint_set)
    alike = annotated.keypoint_names == ours.keypoint_names
    if not alike and head_segment(annotated) is None:
        return None
    judged = (
        (sample, sample.decode_image(), box_in_crop(sample.box, sample.to_source))
        for sample in islice(_with_joints(crops), most)
    )
    pairs = list(raw_joints.of(judged))
    if not pairs:
        return None
    people, found = [sample for sample, _ in pairs], np.array([joints for _, joints in pairs])
    truth = np.array([sample.keypoints for sample in people], np.float64).reshape(-1, len(annotated), 3)
    confidence = {"mean_confidence": float(found[..., 2].mean())}
    if not alike:
        score = pckh_shared(found, truth, annotated, ours)
        return {**score, **confidence} if score["joints"] else None
    scores = keypoint_ap(*_by_source(people, found, truth), keypoints=ours.name)
    oks = {f"oks_{name}": scores[name] / 100 for name in ("ap", "ap50", "ap75")}
    return {**oks, "people": float(len(people)), "joints": float((truth[..., 2] > 0).sum()), **confidence}


def _with_joints(crops: Iterable[Sample]) -> Iterator[Sample]:
    return (sample for sample in crops if sample.keypoints is not None and (sample.keypoints[:, 2] > 0).any())


def _by_source(
    people: Sequence[Sample], found: np.ndarray, truth: np.ndarray
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Predictions and truths of keypoint_ap, one entry per source image, in its pixels."""
    rows: dict[str, list[int]] = {}
    for row, sample in enumerate(people):
        rows.setdefault(sample.source_id, []).append(row)
    predictions, truths = [], []
    for group in rows.values():
        members = [people[row] for row in group]
        predictions.append(
            {
                "keypoints": _in_source(members, found[group])[..., :2],
                "scores": found[group, :, 2].mean(axis=1),
            }
        )
        truths.append(
            {
                "keypoints": _in_source(members, truth[group]),
                "areas": [_area(sample) for sample in members],
                "boxes": [sample.box for sample in members],
            }
        )
    return predictions, truths


def _in_source(people: Sequence[Sample], joints: np.ndarray) -> np.ndarray:
    moved = np.array(joints, np.float64)
    for place, sample in enumerate(people):
        moved[place, :, :2] = transform_points(sample.to_source, moved[place, :, :2])
    return moved


def _area(sample: Sample) -> float:
    """Pixels of the person in the crop: by the person ids, else by the part mask, else of the box."""
    ids = sample.decode_people()
    if ids is not None:
        return float((ids == sample.person).sum())
    mask = sample.decode_mask()
    if mask is not None:
        return float(((mask > 0) & (mask != _IGNORED)).sum())
    return float(sample.box[2] * sample.box[3])
