"""Where a person is in an image, as far as its record tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.records import ImageRecord
from pipeline.taxonomy import IGNORE


@dataclass(frozen=True)
class PersonRegion:
    """A person's place.

    Attributes:
        extent: (H, W) bool: the person's own mask; of people without one the labelled pixels of an image that is all
            theirs, else their box. None where nothing tells.
        labelled: (H, W) bool: labelled pixels in it, 255 not among them. None where the image has no labels.
    """

    extent: np.ndarray | None
    labelled: np.ndarray | None

    @property
    def size_px(self) -> float:
        """The longer side of the extent; 0 where it is empty or unknown."""
        if self.extent is None or not self.extent.any():
            return 0.0
        rows, columns = np.flatnonzero(self.extent.any(axis=1)), np.flatnonzero(self.extent.any(axis=0))
        return float(max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1)


def person_region(record: ImageRecord, mask: np.ndarray | None, index: int) -> PersonRegion:
    """The place of person number `index`.

    Args:
        mask: (H, W) uint8 part ids, None where the image has none.
    """
    foreground = None if mask is None else (mask != 0) & (mask != IGNORE)
    if record.people.rles[index] is not None:
        own = record.people.mask(index)
        return PersonRegion(own, own if foreground is None else own & foreground)
    x, y, width, height = record.people.boxes[index]
    if (x, y) == (0, 0) and (width, height) == (record.width, record.height):
        return PersonRegion(foreground, foreground)
    box = np.zeros((record.height, record.width), bool)
    left, top = max(round(float(x)), 0), max(round(float(y)), 0)
    box[top : max(round(float(y + height)), top), left : max(round(float(x + width)), left)] = True
    return PersonRegion(box, None if foreground is None else box & foreground)
