"""The confusion matrix as a picture."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.figure import Figure

from pipeline.images import decode_image


def confusion_picture(confusion: np.ndarray, names: list[str]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: each row the share of a true class's pixels that went to each predicted class.

    Args:
        confusion: (C, C) pixels of true class i predicted as class j.
        names: the C classes.

    Raises:
        ValueError: the matrix does not fit the names.
    """
    if confusion.shape != (len(names), len(names)):
        raise ValueError(f"confusion: shape {confusion.shape}, expected ({len(names)}, {len(names)})")
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(2 + 0.4 * len(names), 1.6 + 0.4 * len(names)), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row, column in np.argwhere(shares >= 0.005):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{100 * shares[row, column]:.0f}", ha="center", va="center", fontsize=7, color=colour)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return decode_image(buffer.getvalue(), "the confusion matrix")
