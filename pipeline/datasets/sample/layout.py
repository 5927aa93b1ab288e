"""What the writers of the single data sets share: members of archives, image encoding, the order of drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, NamedTuple

import cv2
import numpy as np


class Member(NamedTuple):
    """A file in an archive. An `archive` that is no zip is a plain file of that name, `name` is then empty."""

    archive: str
    name: str
    data: bytes


@dataclass(frozen=True)
class Drawn:
    """One drawn image: the files that belong to it alone, and what lists and tables say about it."""

    members: tuple[Member, ...]
    record: Any


@dataclass(frozen=True)
class Layout:
    """How a data set lays its files out.

    splits: those that it has. draw: (rng, split, index) -> Drawn. close: split -> records in the order of drawing ->
    members that name all images (lists, tables). nested: archive -> its place inside an outer archive of its name.
    """

    splits: tuple[str, ...]
    draw: Callable[[np.random.Generator, str, int], Drawn]
    close: Callable[[Mapping[str, list[Any]]], Iterable[Member]]
    nested: Mapping[str, str] = field(default_factory=dict)


def running_number(splits: tuple[str, ...], split: str, index: int) -> int:
    """A number that no other image of any split has, whatever the counts: 1, 2, 3 ..."""
    return 1 + len(splits) * index + splits.index(split)


def jpeg(rng: np.random.Generator, image: np.ndarray) -> bytes:
    """JPEG bytes of an (H, W, 3) uint8 RGB image at a random quality of 75 to 95."""
    quality = int(rng.integers(75, 96))
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def png(pixels: np.ndarray) -> bytes:
    """PNG bytes of (H, W) uint8 ids or of (H, W, 3) uint8 RGB."""
    _, data = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])
    return data.tobytes()


def lines(names: Iterable[str]) -> bytes:
    """One name per line."""
    return "".join(f"{name}\n" for name in names).encode()


def mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x, y, w, h) of the pixels set in a mask that has some; it covers the columns x to x + w - 1."""
    cols, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(cols[0]), int(rows[0]), int(cols[-1] - cols[0] + 1), int(rows[-1] - rows[0] + 1)
