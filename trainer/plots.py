"""What `evaluate` draws, as tables that DVC's plots and the report read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def iou_points(iou: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """One point per class that is defined: its name, and its IoU in percent."""
    return [{"class": name, "iou": value} for name, value in iou.items() if value is not None]


def confusion_points(confusion: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """One point per true and predicted class: their names, the pixels, and their share of the true class in percent.

    Every class with itself comes first, in the order of the classes, which is the order that plots take from it; a class
    that does not occur has a share of 0. Other pairs without a pixel are left out.

    Args:
        confusion: (C, C) pixels of true class i predicted as class j.
        names: the C classes.

    Raises:
        ValueError: the matrix does not fit the names.
    """
    if confusion.shape != (len(names), len(names)):
        raise ValueError(f"confusion: shape {confusion.shape}, expected ({len(names)}, {len(names)})")
    diagonal = [(place, place) for place in range(len(names))]
    mistaken = [(row, column) for row, column in np.argwhere(confusion).tolist() if row != column]
    shares = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    return [
        {
            "true": names[row],
            "predicted": names[column],
            "pixels": int(confusion[row, column]),
            "share": float(shares[row, column]),
        }
        for row, column in diagonal + mistaken
    ]
