"""Edge maps: the borders between parts of a mask (CorrPM section 3.5: found in the mask, no further annotation)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

_UP, _DOWN, _LEFT, _RIGHT, _EVERY = np.s_[:-1], np.s_[1:], np.s_[:-1], np.s_[1:], np.s_[:]
_Place = tuple[slice, slice]
_PAIRS: tuple[tuple[_Place, _Place, _Place], ...] = (
    ((_DOWN, _EVERY), (_UP, _EVERY), (_DOWN, _EVERY)),
    ((_EVERY, _LEFT), (_EVERY, _RIGHT), (_EVERY, _LEFT)),
    ((_UP, _LEFT), (_DOWN, _RIGHT), (_UP, _LEFT)),
    ((_UP, _RIGHT), (_DOWN, _LEFT), (_UP, _RIGHT)),
)
"""Both pixels of all pairs of neighbours, and which one of them a border marks."""

_PARTNERS = np.array([[0, 1, 0], [0, 1, 1], [1, 0, 1]], np.uint8)
"""The same seen from the marked pixel: itself, above, right, lower left, lower right."""


def edge_map(mask: np.ndarray, width: int = 3, ignore: int = 255) -> np.ndarray:
    """The borders between different labels of a mask.

    Of every pair of neighbours with different labels, neither of them `ignore`, one pixel is marked: the lower of a
    vertical pair, the left of a horizontal one, the upper-left and the upper-right of the two diagonal ones. The marks
    are then dilated by a square of `width`.

    Args:
        mask: (H, W) uint8 labels.
        width: side of the square, odd, in pixels of `mask`.
        ignore: label whose borders are none.

    Returns:
        (H, W) uint8, 1 on a border, 0 elsewhere.

    Raises:
        ValueError: the mask is not (H, W) uint8, the width is not a positive odd number, or ignore is no uint8.
    """
    _check_map("mask", mask)
    _check_numbers(width, ignore)
    mask = np.ascontiguousarray(mask)
    # A pixel has a mark where it and its partners are not all alike: their largest label is not their smallest.
    if (mask.max() < ignore) or not (mask == ignore).any():
        edge = cv2.dilate(mask, _PARTNERS) != cv2.erode(mask, _PARTNERS)
    else:
        # Ignored partners are neither the largest nor the smallest.
        learned = (mask != ignore).view(np.uint8)
        largest, smallest = cv2.dilate(mask * learned, _PARTNERS), cv2.erode(mask | (learned - 1), _PARTNERS)
        edge = (largest != smallest) & learned.view(bool)
    return _widened(edge.view(np.uint8), width)


def people_edge_map(people: np.ndarray, mask: np.ndarray, width: int = 3, ignore: int = 255) -> np.ndarray:
    """The borders between people who touch, also where the same part of theirs meets.

    As in `edge_map`, of neighbours that belong to two different people; the background is nobody. Where the mask ignores
    one of the two, as it does kept people in another one's crop, the border is known all the same; between two
    ignored pixels there is nothing to learn, and none is marked.

    Args:
        people: (H, W) uint8 ids of people, 0 nobody.
        mask: (H, W) uint8 labels.
        width: side of the square, odd, in pixels of `mask`.
        ignore: label of pixels that are not learned.

    Returns:
        (H, W) uint8, 1 on a border, 0 elsewhere.

    Raises:
        ValueError: as `edge_map`, or the maps differ in size.
    """
    _check_map("people", people)
    _check_map("mask", mask)
    _check_numbers(width, ignore)
    if people.shape != mask.shape:
        raise ValueError(f"people: shape {people.shape}, the mask has {mask.shape}; expected the same")
    somebody, learned = people != 0, mask != ignore

    def differ(first: _Place, second: _Place) -> np.ndarray:
        two: np.ndarray = (people[first] != people[second]) & somebody[first] & somebody[second]
        return two & (learned[first] | learned[second])

    return _drawn(mask.shape, differ, width)


def _drawn(shape: tuple[int, ...], differ: Callable[[_Place, _Place], np.ndarray], width: int) -> np.ndarray:
    """(H, W) uint8 marks of the pairs that differ, dilated by a square of `width`."""
    edge = np.zeros(shape, dtype=np.uint8)
    for first, second, marked in _PAIRS:
        edge[marked] |= differ(first, second).view(np.uint8)
    return _widened(edge, width)


def _widened(edge: np.ndarray, width: int) -> np.ndarray:
    """(H, W) uint8 marks dilated by a square of `width`."""
    return edge if width == 1 else np.asarray(cv2.dilate(edge, np.ones((width, width), np.uint8)), np.uint8)


def _check_map(name: str, values: np.ndarray) -> None:
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8 or values.ndim != 2 or values.size == 0:
        found = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise ValueError(f"{name}: {found}, expected a non-empty uint8 array of shape (H, W)")


def _check_numbers(width: int, ignore: int) -> None:
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1 or width % 2 == 0:
        raise ValueError(f"width: {width!r}, expected an odd number of pixels from 1")
    if isinstance(ignore, bool) or not isinstance(ignore, int | np.integer) or not 0 <= ignore <= 255:
        raise ValueError(f"ignore: {ignore!r}, expected a label from 0 to 255")
