"""Images and the masks of people as a Mask R-CNN is trained on them: scaled, shifted, mirrored, of other colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.records import ImageRecord
from pipeline.rle import decode_rle
from pipeline.teacher_file import InputSpec
from trainer.teachers.augment import vary_colour
from trainer.teachers.views import ImageViews

MIN_AREA_PX = 48
MIN_SIDE_PX = 3


@dataclass(frozen=True, eq=False)
class DetectorSample:
    """One training image.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) uint8 of {0, 1}.
        boxes: (N, 4) float32 x1, y1, x2, y2, tight around the masks; the last column and row are x2 - 1 and y2 - 1.
    """

    image: np.ndarray
    masks: np.ndarray
    boxes: np.ndarray


def draw_detector_sample(
    record: ImageRecord, spec: InputSpec, views: ImageViews, rng: np.random.Generator
) -> DetectorSample:
    """A random view of a record.

    What nobody can learn from is painted in the network's mean colour, so that it is neither person nor background:
    crowd regions, people of whom only the box is known, and those of whom too little is left in view.
    """
    people = record.people
    image = record.decode_image()
    fill = [round(255 * value) for value in spec.mean]
    usable = [row for row in range(len(people)) if people.rles[row] is not None and not people.crowd[row]]
    masks = [people.mask(row).astype(np.uint8) for row in usable]
    others = [person_region(record, row) for row in range(len(people)) if row not in usable]
    matrix, view_hw = views.draw(image.shape[:2], spec.size, rng)
    view = cv2.warpAffine(image, matrix, view_hw[::-1], flags=cv2.INTER_LINEAR, borderValue=fill)
    view = vary_colour(view, rng)
    inside = _warp_map(np.ones(image.shape[:2], np.uint8), matrix, view_hw)
    view[inside == 0] = fill
    warped = [_warp_map(mask, matrix, view_hw) for mask in masks + others]
    kept, boxes = [], []
    hidden = np.zeros(view_hw, bool)
    for place, mask in enumerate(warped):
        box = tight_box(mask)
        if place < len(masks) and box is not None and _large_enough(mask, box):
            kept.append(mask)
            boxes.append(box)
        else:
            hidden |= mask.astype(bool)
    for mask in kept:
        hidden &= mask == 0
    view[hidden] = fill
    return DetectorSample(
        image=view,
        masks=np.stack(kept) if kept else np.zeros((0, *view_hw), np.uint8),
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
    )


def _warp_map(values: np.ndarray, matrix: np.ndarray, view_hw: tuple[int, int]) -> np.ndarray:
    return cv2.warpAffine(values, matrix, view_hw[::-1], flags=cv2.INTER_NEAREST)


def tight_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """x1, y1, x2, y2 around the nonzero pixels of a (H, W) uint8 mask, x2 and y2 one past the last; None if empty."""
    x, y, w, h = cv2.boundingRect(mask)
    return (x, y, x + w, y + h) if w and h else None


def _large_enough(mask: np.ndarray, box: tuple[int, int, int, int]) -> bool:
    return min(box[2] - box[0], box[3] - box[1]) >= MIN_SIDE_PX and cv2.countNonZero(mask) >= MIN_AREA_PX


def person_region(record: ImageRecord, row: int) -> np.ndarray:
    """(H, W) uint8: the mask of a person or crowd, or its box where no mask is known."""
    rle = record.people.rles[row]
    if rle is not None:
        return decode_rle(rle).astype(np.uint8)
    region = np.zeros((record.height, record.width), np.uint8)
    x, y, w, h = record.people.boxes[row]
    region[max(0, int(y)) : int(np.ceil(y + h)), max(0, int(x)) : int(np.ceil(x + w))] = 1
    return region
