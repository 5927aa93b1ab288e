"""Duplicates across splits: by hand, and against all pairs compared one by one."""

import cv2
import numpy as np
import pytest

from pipeline.images import decode_image, encode_jpeg
from pipeline.quality.duplicates import Mark, close_pairs, duplicates, near_duplicates
from pipeline.quality.looks import BITS, look, pixel_hash
from tests import builders


def scene(seed):
    """(160, 120, 3): smooth shapes of several sizes, as photos have them."""
    rng = np.random.default_rng(seed)
    image = np.zeros((160, 120, 3), np.float32)
    for cells in (2, 5, 11, 24):
        image += cv2.resize(rng.random((cells, cells, 3), np.float32), (120, 160), interpolation=cv2.INTER_CUBIC)
    return np.clip(image * 64, 0, 255).astype(np.uint8)


def bits(one, other):
    return int.bit_count(int(one, 16) ^ int(other, 16))


def flipped(text, *places):
    value = int(text, 16)
    for place in places:
        value ^= 1 << int(place)
    return f"{value:032x}"


def test_pixel_hash_tells_pixels_and_shape():
    image = scene(0)
    assert pixel_hash(image) == pixel_hash(image[:, ::-1][:, ::-1])  # another layout in memory
    other = image.copy()
    other[-1, -1, 2] ^= 1
    assert len({pixel_hash(image), pixel_hash(other), pixel_hash(image.reshape(120, 160, 3))}) == 3


def test_a_look_is_the_signs_of_the_lowest_frequencies():
    grey = cv2.cvtColor(scene(1), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float64)
    angle = np.pi * (2 * np.arange(32) + 1) / 64
    waves = np.cos(np.outer(np.arange(32), angle)) @ small @ np.cos(np.outer(angle, np.arange(32)))
    places = sorted(((r, c) for r in range(32) for c in range(32)), key=lambda at: (sum(at), at[0]))[1 : BITS + 1]
    expected = "".join("1" if waves[at] > 0 else "0" for at in places)
    assert f"{int(look(scene(1)), 16):0128b}" == expected


def test_looks_stay_under_size_quality_and_light_and_differ_between_images():
    for seed in range(8):
        image, own = scene(seed), look(scene(seed))
        assert bits(own, look(decode_image(encode_jpeg(image, 50), ""))) <= 10
        assert bits(own, look(cv2.resize(image, (90, 120), interpolation=cv2.INTER_AREA))) <= 10
        assert bits(own, look(np.clip(image * 0.9 + 12, 0, 255).astype(np.uint8))) <= 10
        assert min(bits(own, look(scene(other))) for other in range(8, 16)) > 30


def test_real_photos_look_unlike_each_other():
    photos = sorted(builders.REAL.glob("*/**/*.jpg"))
    if len(photos) < 3:
        pytest.skip("no real samples beside the project")
    looks = [look(decode_image(path.read_bytes(), path.name)) for path in photos]
    assert min(bits(one, other) for i, one in enumerate(looks) for other in looks[:i]) > 30


def mark(split, name, pixels, looks="0" * 32):
    return Mark(split, name, pixels, looks)


def told(twins):
    return [(twin.mark.sample_id, twin.earlier.sample_id, twin.bits) for twin in twins]


def test_the_same_pixels_in_two_splits_are_found_once_per_image_of_the_later_one():
    marks = [
        mark("train", "a", "1"), mark("train", "b", "1"), mark("train", "c", "2"),
        mark("val", "d", "1"), mark("val", "e", "3"), mark("test", "f", "3"), mark("test", "g", "1"),
    ]  # fmt: skip
    assert told(duplicates(marks)) == [("d", "a", 0), ("f", "e", 0), ("g", "a", 0)]


def test_near_ones_are_found_up_to_the_limit_the_most_alike_first():
    base = "00112233445566778899aabbccddeeff"
    marks = [
        mark("train", "far", "1", flipped(base, 0, 1, 2)),
        mark("train", "close", "2", flipped(base, 40)),
        mark("train", "again", "3", flipped(base, 41)),
        mark("val", "new", "4", base),
        mark("val", "beside", "5", flipped(base, 90)),
    ]
    assert told(near_duplicates(marks, 3)) == [("new", "close", 1), ("beside", "close", 2)]
    assert told(near_duplicates(marks, 1)) == [("new", "close", 1)]
    assert told(near_duplicates(marks, 0)) == []


def test_equal_looks_of_other_pixels_are_near_and_equal_pixels_are_not_told_twice():
    marks = [mark("train", "a", "1"), mark("val", "b", "2"), mark("val", "c", "1")]
    assert told(duplicates(marks)) == [("c", "a", 0)]
    assert told(near_duplicates(marks, 4)) == [("b", "a", 0)]


def test_images_of_one_split_are_not_compared():
    assert near_duplicates([mark("train", "a", "1"), mark("train", "b", "2")], 10) == []
    assert near_duplicates([], 10) == []


@pytest.mark.parametrize("limit", [0, 1, 7, 10, 20])
def test_close_pairs_are_those_of_a_slow_search(limit):
    rng = np.random.default_rng(limit)
    looks = [rng.bytes(16).hex() for _ in range(60)]
    for base in range(40):  # neighbours at every distance about the limit, and chains of them
        looks.append(flipped(looks[base], *rng.choice(BITS, int(rng.integers(1, limit + 3)), replace=False)))
        looks.append(flipped(looks[-1], int(rng.integers(BITS))))
    looks = list(dict.fromkeys(looks))
    slow = {
        (i, j, bits(looks[i], looks[j]))
        for j in range(len(looks))
        for i in range(j)
        if bits(looks[i], looks[j]) <= limit
    }
    found = list(close_pairs(looks, limit))
    assert set(found) == slow and len(found) == len(slow) and (slow or limit == 0)


def test_flat_bands_cost_no_more_than_their_own_pairs():
    # All looks equal but in their last bytes: one band holds everything, and the answer is still exact.
    rng = np.random.default_rng(5)
    looks = ["0" * 26 + rng.bytes(3).hex() for _ in range(200)]
    looks = list(dict.fromkeys(looks))
    slow = sum(bits(looks[i], looks[j]) <= 3 for j in range(len(looks)) for i in range(j))
    assert len(list(close_pairs(looks, 3))) == slow
