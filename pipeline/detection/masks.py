"""Masks of single people as RLE, from the part of the image that they fill: no map of the whole image is made."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.rle import Rle

MASK_THRESHOLD = 0.5


def region_rle(region: np.ndarray, top: int, left: int, size: tuple[int, int]) -> Rle:
    """Compressed COCO RLE of a mask that is False outside a region of its image.

    Args:
        region: (h, w) bool, inside the image; may be empty.
        top, left: the image's row and column of the region's first pixel.
        size: (height, width) of the image.

    Returns:
        The same as `encode_rle` gives for the whole map.
    """
    height, width = size
    columns = np.zeros((region.shape[1], region.shape[0] + 2), np.int8)  # RLE runs down the columns
    columns[:, 1:-1] = region.T
    steps = np.diff(columns, axis=1)
    edges = []
    for step in (1, -1):
        column, row = np.nonzero(steps == step)
        edges.append((left + column) * height + top + row)
    starts, ends = edges
    if len(starts):  # a run that ends at the foot of a column goes on at the head of the next
        apart = starts[1:] != ends[:-1]
        starts, ends = starts[np.r_[True, apart]], ends[np.r_[apart, True]]
    borders = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
    counts = np.diff(borders).tolist()
    if len(counts) > 1 and counts[-1] == 0:
        counts.pop()
    (rle,) = coco_mask.frPyObjects([{"size": [height, width], "counts": counts}], height, width)
    return {"size": [height, width], "counts": rle["counts"].decode("ascii")}
