"""People parsed in their crops, put back together into the image that they were cut from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.geometry.crop import window_in_source

_IGNORED = 255
"""The label of what is not judged; it claims no pixel, as the background does not."""


class Pasted(NamedTuple):
    """An image's people.

    Attributes:
        parts: (H, W) uint8 part ids, 0 where nobody is.
        people: (H, W) of 1 + the place of the person in the lists given, 0 where nobody is; uint8, or uint16 where there
            are more than 255 people.
    """

    parts: np.ndarray
    people: np.ndarray


def paste_people(
    parts: Sequence[np.ndarray],
    to_source: Sequence[np.ndarray],
    scores: Sequence[float],
    image_hw: tuple[int, int],
    figures: Sequence[np.ndarray] | None = None,
) -> Pasted:
    """The part masks of an image's crops as one map of parts and one of people.

    A crop claims the pixels that it calls a part. A pixel that several claim goes to one of those whose figure holds it
    where there are any, and among these to the person of the highest score, of equals to the first.

    Args:
        parts: per person the (h, w) uint8 part ids of the crop, at the crop's own size.
        to_source: per person (2, 3) crop pixels -> image pixels, a shift by whole pixels.
        scores: per person how sure it is that this is one.
        image_hw: (height, width) of the image.
        figures: per person the (h, w) bool mask that the person was cut out by.

    Raises:
        ValueError: lists of different lengths, a figure of another size than its crop, a map that is no shift by whole
            pixels, or a crop that does not lie inside the image.
    """
    count = len(parts)
    for name, given in (("to_source", to_source), ("scores", scores), ("figures", figures)):
        if given is not None and len(given) != count:
            raise ValueError(f"{name}: {len(given)} entries, expected one for each of the {count} crops")
    pasted = Pasted(np.zeros(image_hw, np.uint8), np.zeros(image_hw, np.uint8 if count < 256 else np.uint16))
    weakest_first = sorted(range(count), key=lambda place: (scores[place], -place))
    for within in (False, True) if figures is not None else (None,):
        for place in weakest_first:
            labels = np.asarray(parts[place])
            claimed = (labels != 0) & (labels != _IGNORED)
            if figures is not None:
                figure = np.asarray(figures[place], bool)
                if figure.shape != labels.shape:
                    raise ValueError(f"figures[{place}]: shape {figure.shape}, expected the crop's {labels.shape}")
                claimed &= figure == within
            window = window_in_source(labels.shape, to_source[place], image_hw)
            rows, columns = slice(window.y0, window.y1), slice(window.x0, window.x1)
            pasted.parts[rows, columns][claimed] = labels[claimed]
            pasted.people[rows, columns][claimed] = place + 1
    return pasted


class PartInstances(NamedTuple):
    """The parts of an image's people, each an instance; CIHP's instance maps and their lists are of this form.

    Attributes:
        ids: (H, W) uint16, 1 + the row of the instance that a pixel belongs to, 0 for none.
        classes: (N,) int64 part id of each instance.
        people: (N,) int64 the person's value in the map of people.
    """

    ids: np.ndarray
    classes: np.ndarray
    people: np.ndarray

    @property
    def masks(self) -> np.ndarray:
        """(N, H, W) bool."""
        return self.ids == np.arange(1, len(self.classes) + 1)[:, None, None]


def part_instances(parts: np.ndarray, people: np.ndarray) -> PartInstances:
    """Every part of every person that has a pixel, ordered by person and then by part.

    Args:
        parts: (H, W) integer part ids; background and 255 are no parts.
        people: (H, W) integer person values, 0 for nobody; a part without a person is no instance.

    Raises:
        ValueError: the shapes differ.
    """
    if parts.shape != people.shape or parts.ndim != 2:
        raise ValueError(f"people: shape {people.shape}, expected the parts' (H, W), {parts.shape}")
    told = (parts != 0) & (parts != _IGNORED) & (people > 0)
    keys = np.where(told, people.astype(np.intp) * 256 + parts, 0)
    counts = np.bincount(keys.ravel())
    counts[0] = 0
    present = np.flatnonzero(counts)
    rows = np.zeros(len(counts), np.uint16)
    rows[present] = np.arange(1, len(present) + 1)
    return PartInstances(rows[keys], present % 256, present // 256)
