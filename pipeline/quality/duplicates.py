"""Images that stand in two splits: pixel for pixel, or by their looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.quality.looks import BITS


@dataclass(frozen=True)
class Mark:
    """An image as the search sees it: `pixels` of `pixel_hash`, `look` of `look`."""

    split: str
    sample_id: str
    pixels: str
    look: str


@dataclass(frozen=True)
class Twin:
    """An image of a later split, and the one of an earlier split that it repeats; `bits` that their looks differ in."""

    mark: Mark
    earlier: Mark
    bits: int


def duplicates(marks: Sequence[Mark]) -> list[Twin]:
    """Images of the same pixels as one of an earlier split, each with the first such.

    Args:
        marks: split by split.
    """
    first: dict[str, Mark] = {}
    found = []
    for mark in marks:
        earlier = first.setdefault(mark.pixels, mark)
        if earlier.split != mark.split:
            found.append(Twin(mark, earlier, 0))
    return found


def near_duplicates(marks: Sequence[Mark], bits: int) -> list[Twin]:
    """Images whose looks differ in at most `bits` bits from one of an earlier split, each with the most alike.

    Those of the same pixels are `duplicates`. Time grows about linearly with the number of images: see `close_pairs`.

    Args:
        marks: split by split.
        bits: 0 to 20 of 128.
    """
    first: dict[str, int] = {}
    members: dict[str, list[int]] = {}
    for index, mark in enumerate(marks):
        first.setdefault(mark.look, index)
        members.setdefault(mark.look, []).append(index)
    looks = list(first)
    best: dict[int, tuple[int, int]] = {}
    for one, other, distance in (*((i, i, 0) for i in range(len(looks))), *close_pairs(looks, bits)):
        for here, there in {(one, other), (other, one)}:
            earliest = first[looks[there]]
            for index in members[looks[here]]:
                if marks[earliest].split != marks[index].split and earliest < index:
                    best[index] = min(best.get(index, (BITS + 1, 0)), (distance, earliest))
    same = {twin.mark for twin in duplicates(marks)}
    return [
        Twin(marks[index], marks[earliest], distance)
        for index, (distance, earliest) in sorted(best.items())
        if marks[index] not in same
    ]


def close_pairs(looks: Sequence[str], bits: int) -> Iterator[tuple[int, int, int]]:
    """(i, j, distance), i < j, of all pairs of different looks that differ in at most `bits` bits; each pair once.

    The bits are cut into bits + 1 bands; of two looks that differ in so few, one band at least is equal. So only looks
    that share a band are compared: with 50,000 of them some tens each, in place of all.
    """
    if len(looks) < 2:
        return
    packed = np.array([np.frombuffer(bytes.fromhex(text), np.uint8) for text in looks])
    words = packed.view(np.uint64)
    table = np.unpackbits(packed, axis=1)
    bands = np.array_split(np.arange(BITS), bits + 1)
    keys = np.stack([table[:, band] @ (1 << np.arange(len(band), dtype=np.int64)) for band in bands], axis=1)
    for place in range(len(bands)):
        order = np.argsort(keys[:, place], kind="stable")
        ordered = keys[order, place]
        start, lag = np.arange(len(order) - 1), 1
        # Pairs of one band stand side by side: first all neighbours, then all at two places' distance, and so on.
        while len(start := start[start + lag < len(order)]):
            start = start[ordered[start] == ordered[start + lag]]
            one, other = order[start], order[start + lag]
            distance = np.bitwise_count(words[one] ^ words[other]).sum(axis=1)
            close = distance <= bits
            # A pair that shares an earlier band, too, was found there.
            close[close] &= (keys[one[close], :place] != keys[other[close], :place]).all(axis=1)
            for i, j, differ in zip(one[close], other[close], distance[close], strict=True):
                yield int(min(i, j)), int(max(i, j)), int(differ)
            lag += 1
