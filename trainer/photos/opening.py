"""Photos' files read and decoded, the next one while the last one is worked on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import DataError
from pipeline.execution import prefetched
from pipeline.images import decode_image
from trainer.photos.finding import Photo


@dataclass(frozen=True, eq=False)
class Opened:
    """A photo's file as it was read.

    Attributes:
        photo: which.
        data: its bytes, and `sha256` their hash.
        image: (H, W, 3) uint8 RGB, upright; None where it was not asked for or cannot be had.
        error: why it cannot be had.
    """

    photo: Photo
    data: bytes = b""
    sha256: str = ""
    image: np.ndarray | None = None
    error: str = ""


def open_photos(
    photos: Sequence[Photo], wanted: Callable[[str, str], bool] = lambda name, sha256: True
) -> Iterator[Opened]:
    """Every photo in order, read and decoded in a thread while the caller is busy with the one before.

    Args:
        photos: which.
        wanted: told name and SHA-256, says whether the photo is to be decoded.
    """
    return prefetched(_open(photo, wanted) for photo in photos)


def _open(photo: Photo, wanted: Callable[[str, str], bool]) -> Opened:
    try:
        data = photo.path.read_bytes()
    except OSError as error:
        return Opened(photo, error=f"{photo.path}: cannot be read ({error.strerror})")
    sha256 = hashlib.sha256(data).hexdigest()
    if not wanted(photo.name, sha256):
        return Opened(photo, data, sha256)
    try:
        return Opened(photo, data, sha256, decode_image(data, str(photo.path)))
    except DataError as error:
        return Opened(photo, data, sha256, error=str(error))
