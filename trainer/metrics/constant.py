"""The best score that an answer without looking can have: a floor for a trained model."""

from __future__ import annotations

import numpy as np

from trainer.metrics.parsing import Absent


def best_constant(pixels: np.ndarray, absent: Absent = "skip") -> tuple[int, float]:
    """The constant answer of the highest mean IoU.

    Every pixel predicted as c gives class c the IoU pixels[c] / sum(pixels), every other class that occurs 0, so the
    most frequent class is the best answer.

    Args:
        pixels: (C,) judged pixels of each true class.
        absent: as in ParsingMetrics.

    Returns:
        The class and its mean IoU in percent; nan where there are no pixels.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 1 or not len(pixels):
        raise ValueError(f"pixels: shape {pixels.shape}, expected (C,)")
    if not pixels.sum():
        return 0, float("nan")
    best = int(pixels.argmax())
    classes = np.count_nonzero(pixels) if absent == "skip" else len(pixels)
    return best, float(100 * pixels[best] / pixels.sum() / classes)
