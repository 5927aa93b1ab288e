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
    for ids in (mask.astype(np.int16), mask.T.astype(np.int16)):
        if ids.shape[1] < 3:
            continue
        left, middle, right = ids[:, :-2], ids[:, 1:-1], ids[:, 2:]
        known = (left != IGNORE) & (middle != IGNORE) & (right != IGNORE)
        borders += int((known & ((left != middle) | (middle != right))).sum())
        between = known & (np.minimum(left, right) < middle) & (middle < np.maximum(left, right))
        ramp += int((between & _still_nearby(ids)).sum())
    return ramp / borders if borders >= LEAST_BORDERS else 0.0


def _still_nearby(ids: np.ndarray) -> np.ndarray:
    """(H, W - 2) bool: of the middle pixels, whether two equal neighbours lie within _REACH on both sides."""
    equal = ids[:, 1:] == ids[:, :-1]  # pair p: pixels p and p + 1
    width = ids.shape[1]
    before, after = np.zeros((len(ids), width - 2), bool), np.zeros((len(ids), width - 2), bool)
    for step in range(1, _REACH):
        # Pixel c = 1 ... W - 2 has the pair (c - step - 1, c - step) before it and (c + step, c + step + 1) after it.
        before[:, step:] |= equal[:, : width - 2 - step]
        after[:, : width - 2 - step] |= equal[:, step + 1 :]
    return before & after
