"""PCKh by hand, against a slow loop, and on real annotations."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.metrics import pckh

REAL = Path(__file__).resolve().parents[4] / "shared" / "real" / "lip" / "lip_val_set.head500.csv"


def slow(pred, target, threshold=0.5, skip=(6, 7)):
    """LIP's rule joint by joint: (mean, upper body, judged joints)."""
    counts = {"mean": [0, 0], "upper": [0, 0]}
    for found, truth in zip(pred, target, strict=True):
        if any(math.isnan(value) for value in (*truth[8], *truth[9])):
            continue
        size = math.dist(truth[8], truth[9])
        for joint in range(16):
            if joint in skip or math.isnan(truth[joint][0]):
                continue
            hit = math.dist(found[joint], truth[joint]) <= threshold * size
            for name in ("mean", "upper") if joint >= 8 else ("mean",):
                counts[name][0] += hit
                counts[name][1] += 1
    return tuple(100 * hits / judged for hits, judged in counts.values()), counts["mean"][1]


def one_person():
    target = np.full((1, 16, 2), np.nan)
    target[0, 8], target[0, 9] = (10, 20), (10, 10)  # a head of 10 pixels
    return target


def test_by_hand():
    target = one_person()
    target[0, 0], target[0, 6], target[0, 10] = (0, 100), (5, 60), (30, 40)
    pred = target.copy()
    pred[0, 0] += (3, 4)  # 5 pixels: just inside half a head
    pred[0, 6] += 50  # the pelvis counts in no mean
    pred[0, 10] += (0, 5.01)
    result = pckh(pred, target)
    assert result["mean"] == pytest.approx(75)
    assert result["upper_body"] == pytest.approx(200 / 3)
    assert [result["joint"][joint] for joint in (0, 6, 8, 9, 10)] == [100, 0, 100, 100, 0]
    assert math.isnan(result["joint"][1])


def test_sample_without_head_is_left_out():
    target = one_person().repeat(2, axis=0)
    target[1, 9] = np.nan
    pred = np.nan_to_num(target)
    pred[1] = 1000
    assert pckh(pred, target)["mean"] == 100
    assert math.isnan(pckh(pred[1:], target[1:])["mean"])


def test_missing_prediction_is_a_miss():
    target = one_person()
    pred = target.copy()
    pred[0, 9] = np.nan
    assert pckh(pred, target)["mean"] == 50


@pytest.mark.parametrize("as_tensor", [False, True])
def test_agrees_with_a_loop(as_tensor):
    random = np.random.default_rng(0)
    target = random.uniform(0, 100, (40, 16, 2))
    target[random.random((40, 16)) < 0.1] = np.nan
    pred = np.nan_to_num(target) + random.normal(0, 20, target.shape)
    expected, _ = slow(pred, target)
    result = pckh(torch.from_numpy(pred), torch.from_numpy(target)) if as_tensor else pckh(pred, target)
    assert (result["mean"], result["upper_body"]) == pytest.approx(expected)


@pytest.mark.skipif(not REAL.exists(), reason=f"LIP's own annotations are not there: {REAL}")
def test_real_lip_annotations():
    with REAL.open(newline="") as file:
        rows = [[float(value) for value in row[1:]] for row in csv.reader(file)]
    target = np.array(rows).reshape(-1, 16, 3)[..., :2]
    assert len(target) == 500
    perfect = pckh(np.nan_to_num(target), target)
    assert perfect["mean"] == perfect["upper_body"] == 100
    moved = np.nan_to_num(target) + np.random.default_rng(0).normal(0, 12, target.shape)
    expected, judged = slow(moved, target)
    assert judged > 5000
    result = pckh(moved, target)
    assert 30 < result["mean"] < 95
    assert (result["mean"], result["upper_body"]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": np.zeros((3, 16))}, r"target: shape \(3, 16\), expected \(N, K, 2\)"),
        ({"pred": np.zeros((1, 15, 2))}, r"pred: shape \(1, 15, 2\), expected the target's \(1, 16, 2\)"),
        ({"head": (8, 16)}, r"head: \(8, 16\), expected joint indices from 0 to 15"),
        ({"skip": (-1,)}, r"skip: \(-1,\), expected joint indices"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        pckh(**{"pred": np.zeros((1, 16, 2)), "target": np.zeros((1, 16, 2)), **arguments})
