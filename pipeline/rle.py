"""COCO run-length masks, compressed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

Rle = dict[str, Any]
"""A COCO run-length mask: {"size": [H, W], "counts": str}, compressed."""


def encode_rle(mask: np.ndarray) -> Rle:
    """Compressed COCO RLE of an (H, W) bool mask."""
    rle = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def check_rle(rle: Mapping[str, Any]) -> None:
    """Refuse a compressed RLE that does not cover its image: pycocotools would read and write beyond its memory.

    Args:
        rle: counts as str or bytes.

    Raises:
        ValueError: the counts are no RLE, or their sum is not the image's area.
    """
    counts, size = rle["counts"], rle["size"]
    if not isinstance(size, list | tuple) or len(size) != 2 or not all(isinstance(side, Integral) for side in size):
        raise ValueError(f"size: {size!r}, expected height and width")
    if not isinstance(counts, str | bytes):
        raise ValueError(f"counts: {type(counts).__name__}, expected the text of a run-length mask")
    runs: list[int] = []
    value = shift = 0
    # As in COCO's maskApi: five bits a character, the sixth says that more follow, and from the third run on the
    # difference to the run before the last is stored.
    for character in counts if isinstance(counts, bytes) else counts.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64:
            raise ValueError(f"counts: character {chr(character)!r} is not of a run-length mask")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    height, width = size
    if shift or min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"counts: runs of {sum(runs)} pixels in all, expected {height * width}")


def decode_rle(rle: Rle) -> np.ndarray:
    """(H, W) bool mask of a compressed COCO RLE."""
    return coco_mask.decode({"size": rle["size"], "counts": rle["counts"].encode("ascii")}).astype(bool)
