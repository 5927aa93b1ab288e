"""What the header of an image file says, read before a decoder is trusted with the rest."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

from PIL import Image

from pipeline.errors import DataError

JPEG, PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
"""What files of these kinds begin with."""
MAX_PIXELS = 100_000_000
"""An image that declares more is refused before memory is taken for it; 300 MB as colours."""
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers of frames, whose segments hold the size."""


def refuse_huge(data: bytes, name: str) -> None:
    """Look at the size that an image file declares, before anything is decoded.

    Raises:
        DataError: it is more than MAX_PIXELS.
    """
    try:
        size = _declared_hw(data)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: {error}; {MAX_PIXELS:,} pixels are taken. Scale it down") from error
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"{name}: declares {size[1]} x {size[0]} pixels, more than the {MAX_PIXELS:,} that are taken. Scale it down"
        )


def _declared_hw(data: bytes) -> tuple[int, int] | None:
    """(height, width) as stored, from the file's header; None where there is none to read."""
    if data.startswith(PNG):
        return (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")) if len(data) >= 24 else None
    if data[:2] == JPEG:
        for marker, place in _segments(data):
            if marker in _FRAMES:
                return int.from_bytes(data[place + 3 : place + 5], "big"), int.from_bytes(
                    data[place + 5 : place + 7], "big"
                )
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            width, height = Image.open(io.BytesIO(data)).size
    except (OSError, ValueError, SyntaxError):
        return None
    return height, width


def _segments(jpeg: bytes) -> Iterator[tuple[int, int]]:
    """Markers of a JPEG's segments with the place of their length, up to its scan."""
    place = 2
    while place + 4 <= len(jpeg) and jpeg[place] == 0xFF:
        marker = jpeg[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        yield marker, place + 2
        if marker == _SCAN:
            return
        place += 2 + int.from_bytes(jpeg[place + 2 : place + 4], "big")


def has_end(jpeg: bytes) -> bool:
    """Whether a JPEG's own data end; an embedded preview's end lies before its start, a phone's extras behind it."""
    # Searched from behind, where it lies as a rule.
    return any(marker == _SCAN and jpeg.rfind(b"\xff\xd9", place) >= 0 for marker, place in _segments(jpeg))


def is_whole_png(data: bytes) -> bool:
    """Whether a PNG is a chain of chunks from IHDR to IEND that lie within the file.

    OpenCV takes memory for as many bytes as a chunk says it has: gigabytes for a file of eighty.
    """
    place = len(PNG)
    if data[place : place + 8] != b"\0\0\0\x0dIHDR":
        return False
    while place + 12 <= len(data):
        kind = data[place + 4 : place + 8]
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        if kind == b"IEND":
            return place <= len(data)
    return False
