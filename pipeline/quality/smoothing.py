"""Masks that were resized or turned with interpolation: between two parts stand ids of parts that are not there."""

from __future__ import annotations

import numpy as np

from pipeline.taxonomy import IGNORE

SHARE = 0.1
"""Borders of which more than this share have such pixels are smoothed; drawn and annotated masks have 0.02 at most."""

LEAST_BORDERS = 50
"""A mask of fewer pixels at borders is not judged."""

_REACH = 5


def smoothed_share(mask: np.ndarray) -> float:
    """Share of the pixels at a mask's borders that interpolation has made; 0 where the mask has hardly a border.

    Such a pixel differs from both its neighbours in a row (or column), its id lies between theirs, and within five
    pixels on either side the ids stand still: a ramp between two parts, not a gradient. Masks enlarged more than sixfold
    have longer ramps and are not found.

    Args:
        mask: (H, W) uint8 ids; borders with 255 are left out.
    """
    ramp = borders = 0
    known = mask != IGNORE
    for ids, told in ((mask, known), (mask.T, known.T)):
        if ids.shape[1] < 3:
            continue
        changes = ids[:, 1:] != ids[:, :-1]  # pair p: pixels p and p + 1
        judged = told[:, :-2] & told[:, 1:-1] & told[:, 2:]
        borders += int(np.count_nonzero(judged & (changes[:, :-1] | changes[:, 1:])))
        # Few pixels differ from both neighbours: the rest is asked of those alone.
        rows, columns = np.nonzero(judged & changes[:, :-1] & changes[:, 1:])
        left, middle, right = (ids[rows, columns + step] for step in range(3))
        between = (np.minimum(left, right) < middle) & (middle < np.maximum(left, right))
        ramp += int(_still_nearby(changes, rows[between], columns[between]).sum())
    return ramp / borders if borders >= LEAST_BORDERS else 0.0


def _still_nearby(changes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(N,) bool: whether two equal neighbours lie within _REACH on both sides of these pixels.

    Args:
        changes: (H, W - 1) bool: whether the pixels of pair p, p and p + 1, differ.
        rows, columns: (N,) of the pixels to their left.
    """
    height, width = changes.shape
    equal = np.zeros((height, width + 2 * _REACH), bool)
    np.logical_not(changes, out=equal[:, _REACH:-_REACH])
    before, after = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for step in range(1, _REACH):
        # Pixel c = column + 1 has the pair (c - step - 1, c - step) before it and (c + step, c + step + 1) after it.
        before |= equal[rows, columns - step + _REACH]
        after |= equal[rows, columns + step + 1 + _REACH]
    return before & after
