import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline import images
from pipeline.errors import DataError
from pipeline.images import decode_image, decode_map, encode_bits, encode_jpeg, encode_png
from tests import builders


def grey_png(pixels: np.ndarray, bits: int) -> bytes:
    """A grey PNG of 1, 2 or 4 bits a pixel, written by hand."""
    rows = b""
    for row in pixels:
        text = "".join(format(int(value), f"0{bits}b") for value in row)
        text += "0" * (-len(text) % 8)
        rows += b"\0" + bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def test_png_keeps_every_pixel_and_channel_order():
    image = builders.image_pixels(7, 5)
    assert np.array_equal(decode_image(encode_png(image), "x"), image)
    assert np.array_equal(np.array(Image.open(io.BytesIO(encode_png(image)))), image)
    mask = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decode_map(encode_png(mask), "x"), mask)


def test_jpeg_is_rgb_and_close():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:, :8], image[:, 8:] = (250, 10, 20), (10, 20, 250)
    back = decode_image(encode_jpeg(image), "x")
    assert np.abs(back.astype(int) - image).max() < 12


def test_equal_pixels_give_equal_bytes():
    image = builders.image_pixels()
    assert encode_png(image) == encode_png(image.copy()) and encode_jpeg(image) == encode_jpeg(image.copy())


@pytest.mark.parametrize("orientation, turn", [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_photos_are_turned_upright(orientation, turn):
    data = builders.jpeg(10, 6)
    turned = decode_image(builders.exif_rotated(data, orientation), "x")
    assert np.array_equal(turned, np.rot90(decode_image(data, "x"), turn))


@pytest.mark.parametrize("length", [0, 1, 2, 30, 200, -40, -2])
def test_a_cut_off_jpeg_is_refused(length):
    data = builders.jpeg(40, 30)
    with pytest.raises(DataError, match=r"^a\.jpg: .*Get the file again"):
        decode_image(data[:length], "a.jpg")


def test_a_cut_off_jpeg_with_a_whole_preview_is_refused():
    data, preview = builders.jpeg(40, 30), builders.jpeg(8, 8)
    payload = b"Exif\0\0" + preview
    data = data[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]
    assert decode_image(data, "x").shape == (40, 30, 3)
    cut = data[: 4 + len(payload) + 40]
    with pytest.raises(DataError, match="cut off"):
        decode_image(cut, "x")


def test_a_photo_with_extras_behind_the_picture_is_whole():
    data = builders.jpeg(40, 30)
    assert np.array_equal(decode_image(data + b"SEFT" * 500, "x"), decode_image(data, "x"))


def test_progressive_and_grey_jpegs_are_read():
    picture = Image.fromarray(builders.image_pixels(40, 30))
    assert decode_image(saved(picture, "JPEG", progressive=True), "x").shape == (40, 30, 3)
    grey = decode_image(saved(picture.convert("L"), "JPEG"), "x")
    assert grey.shape == (40, 30, 3) and np.array_equal(grey[..., 0], grey[..., 2])


@pytest.mark.parametrize("length", [0, 8, 40, -40, -12])
def test_a_cut_off_png_is_refused(length):
    data = builders.png(np.random.default_rng(0).integers(0, 20, (30, 30)))
    for decode in (decode_map, decode_image):
        with pytest.raises(DataError, match=r"a\.png: not a readable"):
            decode(data[:length], "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_masks_of_few_bits_keep_their_ids(bits):
    mask = np.random.default_rng(1).integers(0, 2**bits, (5, 11), dtype=np.uint8)
    assert np.array_equal(decode_map(grey_png(mask, bits), "x"), mask)


@pytest.mark.parametrize("most", [2, 16, 256])
def test_palette_masks_give_indices_and_not_colours(most):
    mask = np.random.default_rng(2).integers(0, most, (9, 7), dtype=np.uint8)
    picture = Image.fromarray(mask).convert("L")
    picture = Image.frombytes("P", picture.size, mask.tobytes())
    picture.putpalette(np.random.default_rng(3).integers(0, 256, most * 3, dtype=np.uint8).tolist())
    assert np.array_equal(decode_map(saved(picture), "x"), mask)


def test_masks_of_several_channels_or_16_bits_are_refused():
    with pytest.raises(DataError, match=r"m\.png: a map of uint8 with shape \(4, 4, 3\), expected one 8-bit channel"):
        decode_map(builders.png(np.zeros((4, 4, 3))), "m.png")
    deep = cv2.imencode(".png", np.zeros((4, 4), np.uint16))[1].tobytes()
    with pytest.raises(DataError, match=r"m\.png: a map of uint16"):
        decode_map(deep, "m.png")


def test_a_jpeg_is_no_mask():
    data = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    with pytest.raises(DataError, match=r"m\.png: not a readable PNG"):
        decode_map(data, "m.png")


def test_text_is_no_image():
    with pytest.raises(DataError, match=r"a\.jpg: not a readable JPEG or PNG \(5 bytes\)"):
        decode_image(b"<html", "a.jpg")


def test_bits_are_read_back_and_take_less_than_a_map_of_bytes():
    rng = np.random.default_rng(6)
    for shape in ((1, 1), (1, 9), (7, 8), (33, 17)):
        edge = rng.integers(0, 2, shape, dtype=np.uint8)
        data = encode_bits(edge)
        assert data[24] == 1 and np.array_equal(decode_map(data, "edge"), edge)
        assert np.array_equal(np.array(Image.open(io.BytesIO(data))).astype(np.uint8), edge)
    assert len(encode_bits(edge)) < len(encode_png(edge))


def test_id_counts_counts_every_id(monkeypatch):
    ids = np.random.default_rng(2).integers(0, 256, (70, 50)).astype(np.uint8)
    expected = [int((ids == value).sum()) for value in range(256)]
    assert images.id_counts(ids).tolist() == expected and images.id_counts(ids).dtype == np.int64
    monkeypatch.setattr(images, "_EXACT", 10)  # a map too large for float32
    assert images.id_counts(ids).tolist() == expected
