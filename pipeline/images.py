"""Bytes of an image file to arrays and back; the one place that knows OpenCV's channel order."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.errors import DataError

PNG_LEVEL = 6
JPEG_QUALITY = 95


def decode_image(data: bytes, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Args:
        data: a JPEG or PNG file's bytes.
        name: how to call the file in an error.

    Raises:
        DataError: the bytes are no whole image.
    """
    if data[:2] == b"\xff\xd8" and b"\xff\xd9" not in data[-64:]:
        # libjpeg fills the missing rows with grey and only warns.
        raise DataError(f"{name}: the JPEG is cut off ({len(data)} bytes, no end marker). Get the file again")
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR) if data else None
    if pixels is None:
        raise DataError(f"{name}: not a readable JPEG or PNG ({len(data)} bytes). Get the file again")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def decode_map(data: bytes, name: str) -> np.ndarray:
    """(H, W) uint8 ids from a PNG of one 8-bit channel.

    Raises:
        DataError: the bytes are no PNG, or it has more channels or bits.
    """
    pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if pixels is None:
        raise DataError(f"{name}: not a readable PNG ({len(data)} bytes). Get the file again")
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError(
            f"{name}: a map of {pixels.dtype} with shape {pixels.shape}, expected one 8-bit channel of ids. Export it as such"
        )
    return pixels


def encode_png(array: np.ndarray) -> bytes:
    """PNG of (H, W) uint8 ids or (H, W, 3) uint8 RGB; the same bytes for the same array."""
    pixels = cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if array.ndim == 3 else array
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])[1].tobytes()


def encode_jpeg(image: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """JPEG of (H, W, 3) uint8 RGB, colour at full resolution so that thin parts keep theirs."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
