"""Masks as COCO stores them: polygons for objects, run lengths for crowds."""

from __future__ import annotations

import cv2
import numpy as np


def mask_counts(mask: np.ndarray) -> list[int]:
    """Uncompressed run lengths of an (H, W) mask, column by column, zeros first."""
    flat = np.asarray(mask, dtype=np.uint8).ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], changes, [len(flat)]])).tolist()
    return [0, *counts] if flat[0] else counts


def mask_polygons(mask: np.ndarray) -> list[list[float]]:
    """Closed outlines [x1, y1, x2, y2, ...] that COCO's rasteriser turns into nearly the same mask again.

    COCO's polygons have a pixel's corner at its integer coordinate; they have no holes, so that a piece with a hole is
    cut in two through it.
    """
    doubled = np.repeat(np.repeat(np.asarray(mask, dtype=np.uint8), 2, axis=0), 2, axis=1)
    outlines, hierarchy = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    polygons = []
    for outline, (_, _, child, parent) in zip(outlines, hierarchy[0] if hierarchy is not None else (), strict=False):
        if parent >= 0:
            continue
        if child < 0:
            simple = cv2.approxPolyDP(outline, 1.0, True)
            corners = simple if len(simple) > 3 else outline
            polygons.append(((corners[:, 0] + 0.5) / 2).ravel().tolist())
            continue
        polygons += _cut_polygons(mask, outline, outlines[child])
    return polygons


def _cut_polygons(mask: np.ndarray, outline: np.ndarray, hole: np.ndarray) -> list[list[float]]:
    """Polygons of the piece within `outline`, cut at the middle column of one of its holes."""
    filled = np.zeros((mask.shape[0] * 2, mask.shape[1] * 2), dtype=np.uint8)
    cv2.drawContours(filled, [outline], -1, 1, cv2.FILLED)
    piece = np.asarray(mask, dtype=bool) & (filled[::2, ::2] > 0)
    column = int(hole[:, 0, 0].min() + hole[:, 0, 0].max()) // 4
    near, far = piece.copy(), piece.copy()
    near[:, column:] = False
    far[:, :column] = False
    return mask_polygons(near) + mask_polygons(far)
