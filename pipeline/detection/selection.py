"""Which of a detector's raw people are kept."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.records import People


def select_people(raw: People, score: float, mask_nms: float) -> People:
    """Keep people of at least that score whose mask overlaps no better one's.

    Args:
        raw: a detector's people, in any order.
        score: least score, in [0, 1].
        mask_nms: highest IoU that two kept masks may have; 1 keeps all.

    Returns:
        The kept people by falling score (equal scores in the order of `raw`), ids 1 ... N. People with an empty mask
        are dropped.

    Raises:
        ValueError: a limit is outside [0, 1], or a person has no mask.
    """
    for name, value in (("score", score), ("mask_nms", mask_nms)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {value}, expected a number from 0 to 1")
    if any(rle is None for rle in raw.rles):
        raise ValueError("raw: a person without a mask; the choice needs masks")
    order = [int(row) for row in np.argsort(-raw.scores, kind="stable") if raw.scores[row] >= np.float32(score)]
    order = [row for row in order if coco_mask.area(raw.rles[row]) > 0]
    masks = [raw.rles[row] for row in order]
    overlaps = np.asarray(coco_mask.iou(masks, masks, [False] * len(masks))) if masks else np.zeros((0, 0))
    kept: list[int] = []
    for place in range(len(order)):
        if all(overlaps[place, better] <= mask_nms for better in kept):
            kept.append(place)
    rows = [order[place] for place in kept]
    return People.build(
        range(1, len(rows) + 1),
        raw.boxes[rows],
        scores=raw.scores[rows],
        rles=[raw.rles[row] for row in rows],
    )
