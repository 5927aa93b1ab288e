"""Pixel scores by hand and against a slow loop."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from trainer.metrics import ParsingMetrics, best_constant, parsing


def test_scores_by_hand():
    # truth  0 0 0 1      pred  0 0 1 1      M = [[2, 1, 0], [0, 1, 0], [0, 0, 0]] over five judged pixels + one of
    #        2 255              0 1          true class 2 predicted 0
    target = np.array([0, 0, 0, 1, 2, 255], np.uint8)
    pred = np.array([0, 0, 1, 1, 0, 1], np.uint8)
    scores = ParsingMetrics(4).update(pred, target).compute()
    assert scores["pixel_accuracy"] == pytest.approx(60)
    assert scores["iou"][:3] == pytest.approx([50, 50, 0])
    assert math.isnan(scores["iou"][3])
    assert scores["mean_iou"] == pytest.approx(100 / 3)
    assert scores["mean_accuracy"] == scores["recall"] == pytest.approx((200 / 3 + 100 + 0) / 3)
    assert scores["precision"] == pytest.approx((200 / 3 + 50) / 2)  # nothing is predicted as 2 or 3
    assert scores["f1"] == pytest.approx((400 / 6 + 200 / 3 + 0) / 3)
    assert scores["foreground_accuracy"] == pytest.approx(50)


def test_absent_class_is_left_out_or_counts_zero():
    target = pred = np.zeros((2, 2), np.int64)
    assert ParsingMetrics(4).update(pred, target).compute()["mean_iou"] == 100
    zero = ParsingMetrics(4, absent="zero").update(pred, target).compute()
    assert zero["mean_iou"] == zero["precision"] == zero["f1"] == 25
    assert zero["iou"] == [100, 0, 0, 0]


def slow(pred, target, classes, ignore):
    confusion = [[0] * classes for _ in range(classes)]
    for p, t in zip(pred.ravel(), target.ravel(), strict=True):
        if t != ignore:
            confusion[t][p] += 1
    ious = []
    for c in range(classes):
        union = sum(confusion[c]) + sum(row[c] for row in confusion) - confusion[c][c]
        if union:
            ious.append(100 * confusion[c][c] / union)
    return confusion, sum(ious) / len(ious)


@pytest.mark.parametrize("ignore", [255, 0])
def test_agrees_with_a_loop_and_accumulates(ignore):
    random = np.random.default_rng(0)
    metrics = ParsingMetrics(6, ignore=ignore)
    preds, targets = random.integers(0, 5, (2, 3, 9, 7)).astype(np.uint8)
    targets[random.random(targets.shape) < 0.2] = ignore
    for pred, target in zip(preds, targets, strict=True):
        metrics.update(pred, target)
    confusion, mean_iou = slow(preds, targets, 6, ignore)
    assert metrics.confusion.tolist() == confusion
    assert metrics.compute()["mean_iou"] == pytest.approx(mean_iou)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_tensors_and_arrays_count_alike(dtype):
    pred, target = torch.randint(0, 4, (2, 5, 5)).to(dtype)
    by_tensor = ParsingMetrics(4).update(pred, target)
    by_array = ParsingMetrics(4).update(pred.numpy(), target.numpy())
    mixed = ParsingMetrics(4).update(pred, target.numpy())
    assert by_tensor.confusion.tolist() == by_array.confusion.tolist() == mixed.confusion.tolist()


@pytest.mark.parametrize(("classes", "ignore"), [(6, 255), (6, 0), (6, -1), (256, 255), (300, 255)])
def test_bytes_and_wider_ids_agree_with_scikit_learn(classes, ignore):
    random = np.random.default_rng(3)
    pred, target = random.integers(0, 6, (2, 500)).astype(np.uint8)
    if ignore == 255:
        target[::7] = 255
    judged = target != ignore
    expected = confusion_matrix(target[judged], pred[judged], labels=range(classes))
    for kind in (np.uint8, np.int16, np.uint16, np.int64):
        metrics = ParsingMetrics(classes, ignore=ignore).update(pred.astype(kind), target.astype(kind))
        assert metrics.confusion.tolist() == expected.tolist()


def test_counts_of_two_add_up_and_travel():
    random = np.random.default_rng(4)
    pred, target = random.integers(0, 4, (2, 2, 50)).astype(np.uint8)
    both = ParsingMetrics(4).update(pred, target)
    one, other = (ParsingMetrics(4).update(pred[half], target[half]) for half in (0, 1))
    one.merge(pickle.loads(pickle.dumps(other)))
    assert one.confusion.tolist() == both.confusion.tolist() and one.compute() == both.compute()
    with pytest.raises(
        ValueError, match=r"other: classes, ignore and absent \(5, 255, 'skip'\), expected \(4, 255, 'skip'\)"
    ):
        one.merge(ParsingMetrics(5))


def test_nothing_judged_is_undefined():
    scores = ParsingMetrics(2).update(np.zeros(3, np.uint8), np.full(3, 255, np.uint8)).compute()
    assert math.isnan(scores["mean_iou"])
    assert math.isnan(scores["pixel_accuracy"])


@pytest.mark.parametrize(
    ("pred", "target", "message"),
    [
        (np.zeros(3, np.uint8), np.zeros(4, np.uint8), r"pred: shape \(3,\), expected the target's \(4,\)"),
        (np.zeros(3), np.zeros(3, np.uint8), "pred: torch.float64, expected an integer type"),
        (np.zeros(3, np.uint8), np.full(3, 7, np.uint8), "target: ids from 7 to 7, expected 0 to 2"),
        (np.full(3, 255, np.uint8), np.zeros(3, np.uint8), "pred: ids from 255 to 255, expected 0 to 2"),
        (np.full(3, -1, np.int64), np.zeros(3, np.int64), "pred: ids from -1 to -1, expected 0 to 2"),
    ],
)
def test_wrong_input_is_named(pred, target, message):
    with pytest.raises(ValueError, match=message):
        ParsingMetrics(3).update(pred, target)


@pytest.mark.parametrize("absent", ["skip", "zero"])
def test_best_constant_beats_every_other_constant(absent):
    target = np.random.default_rng(1).choice(6, 500, p=[0.2, 0.4, 0.1, 0.2, 0.1, 0])
    best, mean_iou = best_constant(np.bincount(target, minlength=6), absent)
    by_trial = [
        ParsingMetrics(6, absent=absent).update(np.full_like(target, c), target).compute()["mean_iou"] for c in range(6)
    ]
    assert best == int(np.argmax(by_trial))
    assert mean_iou == pytest.approx(max(by_trial))


@pytest.mark.parametrize("ignore", [255, 0, 1000])
def test_bytes_are_counted_as_other_integers_are(ignore, monkeypatch):
    """Bytes take OpenCV's histogram, up to as many pixels as it counts exactly."""
    random = np.random.default_rng(1)
    pred, target = random.integers(0, 6, (2, 40, 30)).astype(np.uint8)
    if ignore == 255:
        target[:5] = 255
        pred[0, 0] = 77  # not judged
    expected = ParsingMetrics(6, ignore=ignore).update(pred.astype(np.int64), target.astype(np.int64)).confusion
    assert np.array_equal(ParsingMetrics(6, ignore=ignore).update(pred, target).confusion, expected)
    assert np.array_equal(ParsingMetrics(6, ignore=ignore).update(pred.T, target.T).confusion, expected)
    monkeypatch.setattr(parsing, "EXACT_PIXELS", 100)
    assert np.array_equal(ParsingMetrics(6, ignore=ignore).update(pred, target).confusion, expected)


def test_bytes_beyond_the_classes_are_named():
    with pytest.raises(ValueError, match="pred: ids from 0 to 6, expected 0 to 5"):
        ParsingMetrics(6).update(np.array([0, 6], np.uint8), np.array([0, 5], np.uint8))
    with pytest.raises(ValueError, match="target: ids from 0 to 7, expected 0 to 5"):
        ParsingMetrics(6).update(np.array([0, 5], np.uint8), np.array([0, 7], np.uint8))
