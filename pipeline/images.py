"""Bytes of an image file to arrays and back; the one place that knows OpenCV's channel order."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from pipeline.errors import DataError
from pipeline.image_headers import JPEG, PNG, has_end, is_whole_png, refuse_huge

_PALETTE = 3
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations whose upright image has its height for the stored one's width."""
_ORIENTATION = 0x0112
"""EXIF's tag."""
PNG_LEVEL = 6
BITS_LEVEL = 1
"""Of bits: a higher level takes twice the time to save a sixth of a kilobyte."""
JPEG_QUALITY = 95
_EXACT = 1 << 24
"""Up to here float32, in which OpenCV counts, holds every whole number."""


def decode_image(data: bytes, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB, turned upright by its EXIF orientation.

    Args:
        data: a JPEG or PNG file's bytes.
        name: how to call the file in an error.

    Raises:
        DataError: the bytes are no whole image.
    """
    refuse_huge(data, name)
    if data[:2] == JPEG and not has_end(data):
        # libjpeg fills the missing rows with grey and only warns.
        raise DataError(f"{name}: the JPEG is cut off ({len(data)} bytes, no end marker). Get the file again")
    pixels = _decode(data, cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise DataError(f"{name}: not a readable JPEG or PNG ({len(data)} bytes). Get the file again")
    return pixels


def exif_orientation(data: bytes) -> int:
    """The EXIF orientation of an image file: 1 upright, 5 to 8 stored on its side; 1 where it says nothing."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 1


def decode_map(data: bytes, name: str) -> np.ndarray:
    """(H, W) uint8 ids from a PNG of one channel: the grey values as stored, or the indices into its palette.

    Raises:
        DataError: the bytes are no whole PNG, or it has more channels or bits.
    """
    refuse_huge(data, name)
    pixels = _decode(data, cv2.IMREAD_UNCHANGED) if data.startswith(PNG) else None
    if pixels is None:
        raise DataError(f"{name}: not a readable PNG ({len(data)} bytes). Get the file again")
    bits, colour_type = data[24], data[25]
    if colour_type == _PALETTE:
        # OpenCV gives the colours, and the ids are lost.
        return np.array(Image.open(io.BytesIO(data)))
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise DataError(
            f"{name}: a map of {pixels.dtype} with shape {pixels.shape}, expected one 8-bit channel of ids. Export it as such"
        )
    # Grey of 1, 2 or 4 bits, as size optimisers leave it, comes stretched to 0 ... 255.
    return pixels if bits == 8 else pixels // np.uint8(255 // (2**bits - 1))


def decode_red(data: bytes, name: str) -> np.ndarray:
    """(H, W) uint8 ids from the red channel of an 8-bit RGB PNG; one of a single channel is read as `decode_map` does.

    Raises:
        DataError: the bytes are no whole PNG of 8 bits.
    """
    refuse_huge(data, name)
    pixels = _decode(data, cv2.IMREAD_UNCHANGED) if data.startswith(PNG) else None
    if pixels is not None and data[25] != _PALETTE and pixels.ndim == 3 and pixels.dtype == np.uint8:
        return pixels[..., 2].copy()
    return decode_map(data, name)


def decode_colours(data: bytes, name: str) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB of a PNG that stores colours, opaque if it has alpha; None of one that stores one channel of ids.

    Raises:
        DataError: a pixel is transparent, or the channels have 16 bits.
    """
    refuse_huge(data, name)
    pixels = _decode(data, cv2.IMREAD_UNCHANGED) if data.startswith(PNG) else None
    if pixels is None or data[25] == _PALETTE or pixels.ndim == 2:
        return None
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (3, 4):
        raise DataError(
            f"{name}: colours of {pixels.dtype} with shape {pixels.shape}, expected 8 bits. Export it as such"
        )
    if pixels.shape[2] == 4 and (pixels[..., 3] != 255).any():
        raise DataError(f"{name}: {int((pixels[..., 3] != 255).sum())} pixels are not opaque. Export it without alpha")
    return cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB)


def decode_colour_table(data: bytes) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB of a PNG with a colour table; None of any other."""
    if not data.startswith(PNG) or data[25] != _PALETTE:
        return None
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def _decode(data: bytes, flags: int) -> np.ndarray | None:
    """OpenCV's pixels, None where it finds no whole image."""
    if not data or (data.startswith(PNG) and not is_whole_png(data)):
        return None
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error:  # more pixels than it takes
        return None


def id_counts(ids: np.ndarray) -> np.ndarray:
    """(256,) int64: how many pixels of an (H, W) uint8 map have each id."""
    if ids.size >= _EXACT:
        return np.bincount(ids.ravel(), minlength=256)
    return cv2.calcHist([ids], [0], None, [256], [0, 256]).ravel().astype(np.int64)


def encode_png(array: np.ndarray) -> bytes:
    """PNG of (H, W) uint8 ids or (H, W, 3) uint8 RGB; the same bytes for the same array."""
    pixels = cv2.cvtColor(array, cv2.COLOR_RGB2BGR) if array.ndim == 3 else array
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])[1].tobytes()


def encode_palette_png(ids: np.ndarray, palette: np.ndarray) -> bytes:
    """PNG of (H, W) uint8 ids with a colour table (256, 3) uint8 RGB: `decode_map` gives the ids, viewers show the colours."""
    image = Image.frombytes("P", (ids.shape[1], ids.shape[0]), np.ascontiguousarray(ids, np.uint8).tobytes())
    image.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=PNG_LEVEL)
    return buffer.getvalue()


def encode_bits(array: np.ndarray) -> bytes:
    """PNG of (H, W) uint8 of {0, 1}, one bit a pixel: a fifth of the time of eight bits and no larger (benchmarks/labels.py)."""
    options = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, BITS_LEVEL]
    return cv2.imencode(".png", array, options)[1].tobytes()


def encode_jpeg(image: np.ndarray, quality: int = JPEG_QUALITY) -> bytes:
    """JPEG of (H, W, 3) uint8 RGB, colour at full resolution so that thin parts keep theirs."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
