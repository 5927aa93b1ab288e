"""AP^r of instance-level parsing: parts of people found as instances, scored like detections by the IoU of their masks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import cv2
import numpy as np

from trainer.metrics.parsing import EXACT_PIXELS

Instances = Mapping[str, Any]
"""The part instances of an image: masks (N, H, W) bool, classes (N,) integers from 1, and for predictions scores (N,).

Where no two overlap, ids (H, W) may stand in place of masks: 1 + the row of the instance that a pixel belongs to, 0 for
none. No mask is drawn then.
"""


def instance_part_ap(
    predictions: Iterable[Instances],
    truths: Iterable[Instances],
    thresholds: Sequence[float],
    num_classes: int,
    official: bool = False,
) -> dict[str, Any]:
    """Average precision of part instances, a mean over the part classes for every IoU threshold.

    The predicted instances of a class, of all images by falling score (equal scores in the order of the images), are
    right or wrong; AP is the area under the monotone envelope of precision over recall, at all points.

    Ours: an instance is right if the free true instance of its class that it overlaps most has an IoU of at least the
    threshold, and takes that one; classes without a true instance are in no mean.
    Official, as CIHP's published scorer: right if its best IoU with any true instance of its class exceeds the
    threshold, so that doubles all count and an AP may pass 100; predictions without a pixel are left out; a class
    without a true instance scores 0.

    Args:
        predictions: one per image, with scores; may be generators, since masks of a whole set fill the memory.
        truths: one per image, in the same order. True instances without a pixel are left out.
        thresholds: IoUs, each from 0 to 1; CIHP has 0.1, 0.2 ... 0.9.
        num_classes: classes with the background, which is no part.
        official: by the rules of the published scorer.

    Returns:
        "ap": threshold -> percent, "mean": over the thresholds (AP^r_vol for CIHP's), nan where nothing is judged.

    Raises:
        ValueError: shapes, classes or lengths that do not fit.
    """
    counts = PartInstanceAP(num_classes)
    limits = _checked_limits(thresholds)
    for found, true in zip_longest(predictions, truths):
        if found is None or true is None:
            raise ValueError("predictions: not as many images as truths, expected one entry per image in both")
        counts.update(found, true)
    return counts.compute(limits, official)


class PartInstanceAP:
    """Compares part instances image by image, scores them at the end; the rules are those of `instance_part_ap`.

    Of an image's masks only their overlaps are kept.
    """

    def __init__(self, num_classes: int) -> None:
        """Start with no image."""
        if num_classes < 2:
            raise ValueError(f"num_classes: {num_classes}, expected the background and at least one part")
        self.num_classes = num_classes
        self._images: list[_Overlaps] = []

    def update(self, found: Instances, true: Instances) -> PartInstanceAP:
        """Count an image."""
        self._images.append(_compare(found, true, self.num_classes, len(self._images)))
        return self

    def merge(self, other: PartInstanceAP) -> None:
        """Add the images of another one, behind one's own."""
        self._images += other._images

    def compute(self, thresholds: Sequence[float] | np.ndarray, official: bool = False) -> dict[str, Any]:
        """What `instance_part_ap` returns, of all images so far."""
        limits = _checked_limits(thresholds)
        parts = range(1, self.num_classes)
        ap = np.stack([_class_ap(self._images, part, limits, official) for part in parts])
        defined = ap[~np.isnan(ap).any(axis=1)]
        means = 100 * defined.mean(axis=0) if len(defined) else np.full(len(limits), np.nan)
        return {
            "ap": {float(limit): float(mean) for limit, mean in zip(limits, means, strict=True)},
            "mean": float(means.mean()),
        }


def _checked_limits(thresholds: Sequence[float] | np.ndarray) -> np.ndarray:
    limits = np.asarray(thresholds, np.float64)
    if limits.ndim != 1 or not len(limits) or not ((limits >= 0) & (limits <= 1)).all():
        raise ValueError(f"thresholds: {thresholds}, expected at least one IoU from 0 to 1")
    return limits


class _Checked:
    """Instances of an image, found to be sound."""

    def __init__(self, instances: Instances, name: str, place: int, num_classes: int, scored: bool) -> None:
        self.classes = np.asarray(instances["classes"])
        count = len(self.classes)
        where = f"{name}[{place}]"
        self.shapes = (
            _Shapes.of_ids(instances["ids"], count, where)
            if "ids" in instances
            else _Shapes.of_masks(instances["masks"], count, where)
        )
        if self.classes.ndim != 1 or (count and not np.issubdtype(self.classes.dtype, np.integer)):
            raise ValueError(f"{where}: classes {self.classes.dtype} of shape {self.classes.shape}, expected integers")
        if count and not (self.classes.min() >= 1 and self.classes.max() < num_classes):
            raise ValueError(
                f"{where}: classes from {self.classes.min()} to {self.classes.max()}, expected 1 to {num_classes - 1}"
            )
        self.scores = np.asarray(instances["scores"] if scored else np.ones(count), np.float64)
        if self.scores.shape != (count,) or not np.isfinite(self.scores).all():
            raise ValueError(f"{where}: scores of shape {self.scores.shape}, expected {count} finite numbers")


class _Shapes:
    """Where the instances of an image are: a map of ids, or masks where some overlap or that is how they came."""

    def __init__(self, ids: np.ndarray | None, masks: np.ndarray | None, count: int) -> None:
        self.ids, self._masks, self.count = ids, masks, count

    @classmethod
    def of_masks(cls, given: Any, count: int, where: str) -> _Shapes:
        masks = np.asarray(given)
        if masks.ndim != 3 or masks.dtype != bool or len(masks) != count:
            raise ValueError(f"{where}: masks {masks.dtype} of shape {masks.shape}, expected bool ({count}, H, W)")
        return cls(_id_map(masks), masks, count)

    @classmethod
    def of_ids(cls, given: Any, count: int, where: str) -> _Shapes:
        ids = np.asarray(given)
        if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(f"{where}: ids {ids.dtype} of shape {ids.shape}, expected integers (H, W)")
        if ids.size and not (ids.min() >= 0 and ids.max() <= count):
            raise ValueError(
                f"{where}: ids from {ids.min()} to {ids.max()}, expected 0 to {count}, the classes' number"
            )
        return cls(ids, None, count)

    @property
    def hw(self) -> tuple[int, ...]:
        """Height and width."""
        return self.masks.shape[1:] if self.ids is None else self.ids.shape

    @property
    def masks(self) -> np.ndarray:
        """(N, H, W) bool."""
        if self._masks is not None:
            return self._masks
        return np.asarray(self.ids) == np.arange(1, self.count + 1)[:, None, None]

    @property
    def areas(self) -> np.ndarray:
        """(N,) int64 pixels of each."""
        if self.ids is None:
            # Summing booleans along axes takes ten times as long.
            return np.array([np.count_nonzero(mask) for mask in self.masks], np.int64)
        return np.bincount(self.ids.ravel(), minlength=self.count + 1)[1:].astype(np.int64)


class _Overlaps:
    """An image's predictions against its true instances that have pixels; the masks themselves are forgotten."""

    def __init__(self, found: _Checked, true: _Checked) -> None:
        shared, areas, true_areas = _pixels(found.shapes, true.shapes)
        kept = true_areas > 0
        union = areas[:, None] + true_areas - shared
        self.ious = (shared / np.maximum(union, 1))[:, kept]
        self.drawn = areas > 0
        self.classes, self.true_classes = found.classes, true.classes[kept]
        self.scores = found.scores


def _compare(found: Instances, true: Instances, num_classes: int, place: int) -> _Overlaps:
    """One image's IoUs."""
    guess = _Checked(found, "predictions", place, num_classes, scored=True)
    truth = _Checked(true, "truths", place, num_classes, scored=False)
    if guess.shapes.count and truth.shapes.count and guess.shapes.hw != truth.shapes.hw:
        raise ValueError(
            f"predictions[{place}]: masks of {guess.shapes.hw} pixels, expected the truth's {truth.shapes.hw}"
        )
    return _Overlaps(guess, truth)


def _pixels(found: _Shapes, true: _Shapes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Common pixels of every pair (N, M), and the areas (N,) and (M,), all int64.

    Instances that do not overlap within their set, the rule for parts, are told by one joint histogram.
    """
    if not found.count or not true.count:
        return np.zeros((found.count, true.count), np.int64), found.areas, true.areas
    if found.ids is None or true.ids is None:
        flat, other_flat = (side.masks.reshape(side.count, -1).astype(np.float64) for side in (found, true))
        return np.rint(flat @ other_flat.T).astype(np.int64), found.areas, true.areas
    joint = _joint_histogram(found.ids, true.ids, found.count + 1, true.count + 1)
    return joint[1:, 1:], joint.sum(1)[1:], joint.sum(0)[1:]


def _joint_histogram(ids: np.ndarray, others: np.ndarray, count: int, others_count: int) -> np.ndarray:
    """(count, others_count) int64 pixels of each pair of ids."""
    if max(count, others_count) <= 256 and ids.size <= EXACT_PIXELS:
        pair = [np.ascontiguousarray(side, np.uint8) for side in (ids, others)]
        bins = [count, others_count]
        return cv2.calcHist(pair, [0, 1], None, bins, [0, count, 0, others_count]).astype(np.int64)
    pairs = ids.astype(np.int64) * others_count + others
    return np.bincount(pairs.ravel(), minlength=count * others_count).reshape(count, others_count)


def intersections(masks: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Common pixels of every pair of masks: (N, H, W) and (M, H, W) bool -> (N, M) int64."""
    found, true = (_Shapes.of_masks(side, len(side), "masks") for side in (masks, others))
    return _pixels(found, true)[0]


def _id_map(masks: np.ndarray) -> np.ndarray | None:
    """(H, W) of 1 + the mask that a pixel is in, 0 for none; None if masks overlap."""
    kind = np.uint8 if len(masks) < 256 else np.int32
    ids, numbered = np.zeros((2, *masks.shape[1:]), kind)
    pixels = 0
    for number, mask in enumerate(np.ascontiguousarray(masks), start=1):
        np.multiply(mask.view(np.uint8), kind(number), out=numbered)
        np.bitwise_or(ids, numbered, out=ids)
        pixels += int(np.count_nonzero(mask))
    return ids if pixels == np.count_nonzero(ids) else None


def _class_ap(images: Sequence[_Overlaps], part: int, limits: np.ndarray, official: bool) -> np.ndarray:
    """(thresholds,) AP of one class in 0 ... 1; nan, or 0 by the official rules, where no image has it."""
    total = sum(int((image.true_classes == part).sum()) for image in images)
    if not total:
        return np.full(len(limits), 0.0 if official else np.nan)
    right, scores = [], []
    for image in images:
        rows = np.flatnonzero((image.classes == part) & (image.drawn | (not official)))
        ious = image.ious[np.ix_(rows, image.true_classes == part)]
        right.append((_any_above if official else _one_to_one)(ious, image.scores[rows], limits))
        scores.append(image.scores[rows])
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return np.array([average_precision(column[order], total) for column in np.concatenate(right).T])


def _any_above(ious: np.ndarray, scores: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """(N, thresholds) bool: the best IoU exceeds the threshold."""
    return ious.max(axis=1, initial=0.0)[:, None] > limits


def _one_to_one(ious: np.ndarray, scores: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """(N, thresholds) bool: the prediction got a true instance of its own, the better scored choosing first."""
    right = np.zeros((len(ious), len(limits)), bool)
    if not ious.shape[1]:
        return right
    every = np.arange(len(limits))
    free = np.ones((len(limits), ious.shape[1]), bool)
    for row in np.argsort(-scores, kind="stable"):
        candidates = np.where(free, ious[row], -1.0)
        best = candidates.argmax(axis=1)
        right[row] = candidates[every, best] >= limits
        free[every[right[row]], best[right[row]]] = False
    return right


def average_precision(right: np.ndarray, total: int) -> float:
    """Area under the envelope of precision over recall; `right` by falling score, `total` true instances."""
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * right).sum() / total)
