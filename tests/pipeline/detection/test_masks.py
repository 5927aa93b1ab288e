"""Masks from the part of the image that they fill, against the encoding of the whole map."""

import numpy as np
import pytest

from pipeline.detection.masks import region_rle
from pipeline.rle import check_rle, encode_rle

SIZE = (11, 13)


def whole(region: np.ndarray, top: int, left: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : top + region.shape[0], left : left + region.shape[1]] = region
    return mask


@pytest.mark.parametrize(
    ("shape", "top", "left"),
    [((4, 5), 2, 3), ((11, 13), 0, 0), ((11, 4), 0, 9), ((3, 13), 8, 0), ((1, 1), 10, 12), ((1, 1), 0, 0)],
)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_a_region_gives_the_run_lengths_of_the_whole_map(shape, top, left, share):
    region = np.random.default_rng(3).random(shape) < share
    rle = region_rle(region, top, left, SIZE)
    check_rle(rle)
    assert rle == encode_rle(whole(region, top, left))


def test_a_region_of_no_pixels_is_an_empty_mask():
    assert region_rle(np.zeros((0, 4), bool), 3, 3, SIZE) == encode_rle(np.zeros(SIZE, bool))
    assert region_rle(np.zeros((4, 0), bool), 3, 3, SIZE) == encode_rle(np.zeros(SIZE, bool))
