import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.export.files import JPEG, WEB, image_ending, image_file, mask_png
from pipeline.shards.step import Tally
from tests import builders
from tests.pipeline.export.builders import part_mask, sample

PIXELS = builders.image_pixels(24, 20, 4)


def saved(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def decoded(data):
    """As a loader that knows nothing of EXIF reads it."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    "data, endings, ending",
    [
        (builders.jpeg(), JPEG, ".jpg"),
        (saved(Image.fromarray(PIXELS).convert("L"), "JPEG"), JPEG, ".jpg"),
        (builders.exif_rotated(builders.jpeg(), 1), JPEG, ".jpg"),
        (builders.png(PIXELS), WEB, ".png"),
    ],
)
def test_plain_images_keep_their_bytes(data, endings, ending):
    tally = Tally()
    assert image_file(sample("a", image=data), endings, tally) == (ending, data) and not tally


@pytest.mark.parametrize(
    "data, endings, ending",
    [
        (builders.exif_rotated(builders.jpeg(20, 24), 6), JPEG, ".jpg"),
        (builders.exif_rotated(builders.jpeg(24, 20), 3), WEB, ".jpg"),
        (saved(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"), WEB, ".jpg"),
        (builders.png(PIXELS), JPEG, ".jpg"),
        (saved(Image.fromarray(PIXELS).quantize(16), "PNG"), WEB, ".png"),
        (saved(Image.fromarray(PIXELS).convert("RGBA"), "PNG"), WEB, ".png"),
        (cv2.imencode(".png", PIXELS[..., ::-1].astype(np.uint16) * 257)[1].tobytes(), WEB, ".png"),
        (saved(Image.fromarray(PIXELS), "WEBP", lossless=True), WEB, ".png"),
    ],
)
def test_images_that_tools_read_differently_are_encoded_anew_and_upright(data, endings, ending):
    tally = Tally()
    one = sample("a", image=data)
    found, written = image_file(one, endings, tally)
    assert found == ending and image_ending(written) == ending and tally == {"images_encoded_anew": 1}
    assert Image.open(io.BytesIO(written)).mode == "RGB"
    difference = np.abs(decoded(written).astype(int) - one.decode_image())
    assert difference.max() == 0 if ending == ".png" else difference.mean() < 6


@pytest.mark.parametrize(
    "data, ending",
    [
        (builders.jpeg(), ".jpg"),
        (builders.png(PIXELS), ".png"),
        (saved(Image.fromarray(PIXELS), "WEBP"), ".webp"),
        (saved(Image.fromarray(PIXELS), "BMP"), ".bmp"),
        (saved(Image.fromarray(PIXELS), "TIFF"), None),
        (b"RIFF....WAVE", None),
    ],
)
def test_endings_tell_what_a_file_is(data, ending):
    assert image_ending(data) == ending


def test_masks_become_grey_8_bit_pngs_of_the_same_ids():
    ids = part_mask(1) % 4
    table = Image.fromarray(ids)
    table.putpalette(list(range(12)))
    two_bits = saved(table, "PNG", bits=2)
    assert two_bits[24:26] == b"\x02\x03"
    for data in (builders.png(ids), saved(table, "PNG"), two_bits):
        written = mask_png(sample("a", mask=data))
        assert written[24:26] == b"\x08\x00"
        grey = cv2.imdecode(np.frombuffer(written, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(grey, ids)
    assert mask_png(sample("a", mask=builders.png(ids))) == builders.png(ids)
    assert mask_png(replace(sample("a"), mask=None)) is None
