"""Tables of the plots: by hand."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.plots import confusion_points, iou_points


def test_shares_are_of_the_true_class_and_the_diagonal_tells_the_order():
    points = confusion_points(np.array([[3, 1, 0], [0, 0, 0], [0, 5, 5]]), ["a", "b", "c"])
    assert points == [
        {"true": "a", "predicted": "a", "pixels": 3, "share": 75.0},
        {"true": "b", "predicted": "b", "pixels": 0, "share": 0.0},
        {"true": "c", "predicted": "c", "pixels": 5, "share": 50.0},
        {"true": "a", "predicted": "b", "pixels": 1, "share": 25.0},
        {"true": "c", "predicted": "b", "pixels": 5, "share": 50.0},
    ]


def test_a_matrix_of_other_classes_is_an_error():
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(3, 3\)"):
        confusion_points(np.eye(2), ["a", "b", "c"])


def test_a_class_without_iou_has_no_point():
    assert iou_points({"a": 12.5, "b": None, "c": 0.0}) == [{"class": "a", "iou": 12.5}, {"class": "c", "iou": 0.0}]
