"""A sample's files in the plainest form that holds them: bytes as they came where any tool reads them alike."""

from __future__ import annotations

import io
from collections.abc import Collection

from PIL import Image

from pipeline.errors import DataError
from pipeline.images import encode_jpeg, encode_png
from pipeline.records import Sample
from pipeline.shards.step import Tally

_ORIENTATION = 0x0112
_PLAIN_MODES = ("RGB", "L")
_PNG = b"\x89PNG\r\n\x1a\n"
_GREY_OF_8_BITS = b"\x08\x00"

JPEG = frozenset({".jpg"})
WEB = frozenset({".jpg", ".png"})


def image_ending(data: bytes) -> str | None:
    """The ending of an image file by its first bytes; None of an unusual one."""
    if data.startswith(b"\xff\xd8"):
        return ".jpg"
    if data.startswith(_PNG):
        return ".png"
    if data.startswith(b"BM"):
        return ".bmp"
    return ".webp" if data.startswith(b"RIFF") and data[8:12] == b"WEBP" else None


def image_file(sample: Sample, endings: Collection[str], tally: Tally) -> tuple[str, bytes]:
    """(ending, bytes) of a sample's image in one of the formats `endings`.

    Bytes stay as they are unless the format is another one, or tools would read them differently: EXIF rotation, which
    some apply and some do not, CMYK, transparency, colour tables, 16 bits. Such an image is encoded anew, upright, and
    counted.
    """
    ending = image_ending(sample.image)
    if ending is not None and ending in endings and _is_plain(sample.image):
        return ending, sample.image
    tally["images_encoded_anew"] += 1
    if ".png" in endings and ending != ".jpg":
        return ".png", encode_png(sample.decode_image())
    return ".jpg", encode_jpeg(sample.decode_image())


def _is_plain(data: bytes) -> bool:
    if data.startswith(_PNG) and data[24] != 8:
        return False
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.mode in _PLAIN_MODES and image.getexif().get(_ORIENTATION, 1) == 1
    except (OSError, Image.DecompressionBombError):
        return False


def mask_png(sample: Sample) -> bytes | None:
    """The part mask as a grey 8-bit PNG of ids, the one form that every tool reads as ids; None where there is none."""
    return _grey_png(sample.mask) or (None if (mask := sample.decode_mask()) is None else encode_png(mask))


def people_png(sample: Sample) -> bytes | None:
    """The person ids likewise."""
    return _grey_png(sample.people_map) or (None if (ids := sample.decode_people()) is None else encode_png(ids))


def edge_png(sample: Sample) -> bytes | None:
    """The edge map of {0, 1} likewise."""
    return _grey_png(sample.edge) or (None if (edge := sample.decode_edge()) is None else encode_png(edge))


def _grey_png(data: bytes | None) -> bytes | None:
    """The bytes themselves where they are such a PNG."""
    return data if data is not None and data.startswith(_PNG) and data[24:26] == _GREY_OF_8_BITS else None


def needed(label: bytes | None, what: str, sample: Sample, form: str) -> bytes:
    """A label that the format cannot do without.

    Raises:
        DataError: the sample lacks it.
    """
    if label is None:
        raise DataError(
            f"{sample.dataset}/{sample.split}: sample {sample.sample_id!r} has no {what}, and --format {form} holds one for "
            "each. Leave the split out with --split, or take coco or webdataset"
        )
    return label
