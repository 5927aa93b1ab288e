"""AP^r against values by hand and against slow loops written from the rules."""

import math

import numpy as np
import pytest

from trainer.metrics import instance_part_ap
from trainer.metrics.part_ap import intersections

TENTHS = [round(0.1 * step, 1) for step in range(1, 10)]


def row(*spans: tuple[int, int], width: int = 20) -> np.ndarray:
    """Masks of one pixel row: (N, 1, width), each a half-open span of columns."""
    columns = np.arange(width)
    return np.array([(columns >= start) & (columns < stop) for start, stop in spans], bool).reshape(-1, 1, width)


def found(masks, classes, scores):
    return {"masks": masks, "classes": np.array(classes, int), "scores": np.array(scores, float)}


def true(masks, classes):
    return {"masks": masks, "classes": np.array(classes, int)}


def test_a_case_by_hand():
    # Two true instances; by score: right (IoU 1), wrong (nothing there), right (6 of 10 pixels, IoU 0.6).
    truth = [true(row((0, 5), (10, 20)), [1, 1])]
    guess = [found(row((0, 5), (6, 9), (10, 16)), [1, 1, 1], [0.9, 0.8, 0.7])]
    scores = instance_part_ap(guess, truth, [0.5, 0.6, 0.7], num_classes=2)
    two_thirds = 100 * (1 / 2 + 2 / 3 / 2)  # precision 1 at recall 1/2, 2/3 at recall 1
    assert scores["ap"] == {0.5: pytest.approx(two_thirds), 0.6: pytest.approx(two_thirds), 0.7: pytest.approx(50)}
    assert scores["mean"] == pytest.approx((2 * two_thirds + 50) / 3)
    official = instance_part_ap(guess, truth, [0.5, 0.6, 0.7], num_classes=2, official=True)
    assert official["ap"] == {0.5: pytest.approx(two_thirds), 0.6: pytest.approx(50), 0.7: pytest.approx(50)}  # strict


def test_doubles_count_by_the_official_rules_only():
    truth = [true(row((0, 10)), [1])]
    guess = [found(row((0, 10), (0, 9)), [1, 1], [0.5, 0.6])]
    assert instance_part_ap(guess, truth, [0.5], 2)["ap"][0.5] == pytest.approx(100)
    assert instance_part_ap(guess, truth, [0.5], 2, official=True)["ap"][0.5] == pytest.approx(200)


def test_a_later_instance_takes_the_free_one():
    truth = [true(row((0, 10), (4, 14)), [1, 1])]
    guess = [found(row((2, 12), (2, 12)), [1, 1], [0.9, 0.8])]  # IoU 8 / 12 with both
    assert instance_part_ap(guess, truth, [0.6], 2)["ap"][0.6] == pytest.approx(100)


def test_the_mean_is_over_classes_that_occur():
    truth = [true(row((0, 5), (5, 9)), [1, 3])]
    guess = [found(row((0, 5), (10, 12)), [1, 2], [0.9, 0.8])]
    assert instance_part_ap(guess, truth, [0.5], 5)["ap"][0.5] == pytest.approx(50)  # classes 1 and 3
    assert instance_part_ap(guess, truth, [0.5], 5, official=True)["ap"][0.5] == pytest.approx(25)  # of four


def test_instances_without_pixels():
    truth = [true(row((0, 5), (3, 3)), [1, 1])]
    guess = [found(row((7, 7), (0, 5)), [1, 1], [0.9, 0.8])]
    assert instance_part_ap(guess, truth, [0.5], 2)["ap"][0.5] == pytest.approx(50)  # the empty one comes first
    assert instance_part_ap(guess, truth, [0.5], 2, official=True)["ap"][0.5] == pytest.approx(100)


def test_scores_rank_over_the_whole_set():
    truth = [true(row((0, 5)), [1]), true(row((0, 5)), [1])]
    guess = [found(row((9, 12)), [1], [0.4]), found(row((0, 5)), [1], [0.9])]
    assert instance_part_ap(guess, truth, [0.5], 2)["ap"][0.5] == pytest.approx(50)
    guess[0]["scores"] = np.array([0.95])
    assert instance_part_ap(guess, truth, [0.5], 2)["ap"][0.5] == pytest.approx(25)


def test_nothing_found_and_nothing_there():
    nothing = found(row(), [], [])
    assert instance_part_ap([nothing], [true(row((0, 5)), [1])], [0.5], 3)["ap"][0.5] == 0
    assert math.isnan(instance_part_ap([nothing], [true(row(), [])], [0.5], 3)["mean"])
    assert math.isnan(instance_part_ap([], [], [0.5], 3)["mean"])


def slow(predictions, truths, limit, num_classes, official):
    """The rules as loops over classes, images and instances."""
    classes = []
    for part in range(1, num_classes):
        entries, total = [], 0
        for guess, truth in zip(predictions, truths, strict=True):
            theirs = [m for m, c in zip(truth["masks"], truth["classes"], strict=True) if c == part and m.any()]
            total += len(theirs)
            ours = [
                (float(s), m)
                for m, c, s in zip(guess["masks"], guess["classes"], guess["scores"], strict=True)
                if c == part and (m.any() or not official)
            ]
            taken = set()
            for score, mask in sorted(ours, key=lambda entry: -entry[0]):
                ious = [(mask & other).sum() / (mask | other).sum() for other in theirs]
                if official:
                    entries.append((score, max(ious, default=0) > limit))
                    continue
                free = {place: iou for place, iou in enumerate(ious) if place not in taken}
                best = max(free, key=lambda place: (free[place], -place), default=None)
                right = best is not None and free[best] >= limit
                entries.append((score, right))
                taken |= {best} if right else set()
        if not total:
            classes += [0.0] if official else []
            continue
        recalls, precisions, hits = [0.0], [0.0], 0
        for place, (_, right) in enumerate(sorted(entries, key=lambda entry: -entry[0]), start=1):
            hits += right
            recalls.append(hits / total)
            precisions.append(hits / place)
        area = 0.0
        for place in range(1, len(recalls)):
            area += (recalls[place] - recalls[place - 1]) * max(precisions[place:])
        classes.append(area)
    return 100 * sum(classes) / len(classes)


def random_set(seed: int, disjoint: bool):
    random = np.random.default_rng(seed)
    predictions, truths = [], []
    for _ in range(6):
        height, width = random.integers(8, 20, 2)
        labels = random.integers(0, 6, (height // 4 + 1, width // 4 + 1)).repeat(4, 0).repeat(4, 1)[:height, :width]
        other = np.where(random.random(labels.shape) < 0.2, random.integers(0, 6, labels.shape), labels)
        truth = np.stack([labels == value for value in range(1, 6)])
        guess = np.stack([other == value for value in range(1, 6)])
        if not disjoint:
            guess = np.concatenate([guess, guess[:2] | guess[1:3]])
        predictions.append(
            found(guess, random.integers(1, 4, len(guess)), random.permutation(len(guess)) + random.random())
        )
        truths.append(true(truth, random.integers(1, 4, len(truth))))
    return predictions, truths


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_rules_as_slow_loops_give_the_same(seed, official):
    predictions, truths = random_set(seed, disjoint=seed % 2 == 0)
    scores = instance_part_ap(iter(predictions), iter(truths), TENTHS, 5, official)
    expected = {limit: slow(predictions, truths, limit, 5, official) for limit in TENTHS}
    assert scores["ap"] == pytest.approx(expected)
    assert scores["mean"] == pytest.approx(np.mean(list(expected.values())))
    assert 5 < scores["mean"] < 95


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_maps_of_ids_stand_for_masks(kind):
    """Also against masks on the other side, masks that overlap among them."""
    predictions, truths = random_set(2, disjoint=True)
    as_ids = [_with_ids(image, kind) for image in predictions], [_with_ids(image, kind) for image in truths]
    expected = instance_part_ap(predictions, truths, TENTHS, 5)
    assert instance_part_ap(*as_ids, TENTHS, 5) == expected
    assert instance_part_ap(predictions, as_ids[1], TENTHS, 5) == expected
    shared = [{**image, "masks": image["masks"] | image["masks"][-1:]} for image in predictions]
    assert instance_part_ap(shared, as_ids[1], TENTHS, 5) == instance_part_ap(shared, truths, TENTHS, 5) != expected


def _with_ids(image, kind):
    """The image's masks as one map."""
    numbered = image["masks"] * np.arange(1, len(image["masks"]) + 1)[:, None, None]
    rest = {key: value for key, value in image.items() if key != "masks"}
    return {**rest, "ids": numbered.sum(0).astype(kind)}


@pytest.mark.parametrize(
    "ids, message",
    [
        (np.full((1, 20), 2, np.uint8), r"predictions\[0\]: ids from 2 to 2, expected 0 to 1, the classes' number"),
        (np.full((1, 20), -1), r"predictions\[0\]: ids from -1 to -1"),
        (np.zeros((1, 20)), r"predictions\[0\]: ids float64 of shape \(1, 20\), expected integers"),
        (np.ones((1, 21), np.uint8), r"predictions\[0\]: masks of \(1, 21\) pixels"),
    ],
)
def test_ids_that_do_not_fit_are_named(ids, message):
    guess = {"ids": ids, "classes": np.array([1]), "scores": np.array([0.5])}
    with pytest.raises(ValueError, match=message):
        instance_part_ap([guess], [true(row((0, 3)), [1])], [0.5], 2)


@pytest.mark.parametrize("overlapping", [False, True])
def test_intersections_are_pixels_in_both(overlapping):
    random = np.random.default_rng(2)
    labels, other_labels = random.integers(0, 5, (2, 9, 7))
    masks = np.stack([labels == value for value in (1, 2, 4)])
    others = np.stack([other_labels == value for value in range(1, 5)])
    if overlapping:
        masks[0] |= masks[1]
    pairs = [[int((mask & other).sum()) for other in others] for mask in masks]
    assert intersections(masks, others).tolist() == pairs
    assert intersections(others, masks).tolist() == np.transpose(pairs).tolist()


def test_more_masks_than_a_byte_counts():
    spans = row(*((place, place + 1) for place in range(300)), width=300)
    assert intersections(spans, spans).tolist() == np.eye(300, dtype=int).tolist()
    doubled = np.concatenate([spans, spans[:1]])
    assert intersections(doubled, spans[:2]).tolist() == [[1, 0], [0, 1], *[[0, 0]] * 298, [1, 0]]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"masks": row((0, 3)).astype(np.uint8)}, r"predictions\[0\]: masks uint8 .*expected bool"),
        (
            {"masks": row((0, 3), (4, 5))},
            r"predictions\[0\]: masks bool of shape \(2, 1, 20\), expected bool \(1, H, W\)",
        ),
        ({"classes": np.array([2])}, r"predictions\[0\]: classes from 2 to 2, expected 1 to 1"),
        ({"classes": np.array([0])}, r"predictions\[0\]: classes from 0 to 0"),
        ({"classes": np.array([1.0])}, r"predictions\[0\]: classes float64"),
        ({"scores": np.array([0.1, 0.2])}, r"predictions\[0\]: scores of shape \(2,\), expected 1"),
        ({"scores": np.array([np.nan])}, r"predictions\[0\]: scores .*finite"),
        (
            {"masks": row((0, 3), width=21)},
            r"predictions\[0\]: masks of \(1, 21\) pixels, expected the truth's \(1, 20\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    guess = {**found(row((0, 3)), [1], [0.5]), **change}
    with pytest.raises(ValueError, match=message):
        instance_part_ap([guess], [true(row((0, 3)), [1])], [0.5], 2)


def test_lists_of_other_lengths_and_senseless_limits_are_named():
    guess, truth = found(row((0, 3)), [1], [0.5]), true(row((0, 3)), [1])
    with pytest.raises(ValueError, match="predictions: not as many images as truths"):
        instance_part_ap([guess], [truth, truth], [0.5], 2)
    with pytest.raises(ValueError, match="thresholds: "):
        instance_part_ap([guess], [truth], [1.5], 2)
    with pytest.raises(ValueError, match="num_classes: 1"):
        instance_part_ap([guess], [truth], [0.5], 1)
