"""Masks resized with interpolation, by hand and by OpenCV."""

import cv2
import numpy as np
import pytest

from pipeline.images import decode_map
from pipeline.quality.smoothing import LEAST_BORDERS, SHARE, smoothed_share
from tests import builders


def stripes(*row, height=100):
    return np.tile(np.array(row, np.uint8), (height, 1))


def test_a_ramp_between_two_parts_is_counted_by_hand():
    # Border pixels of a row, of those with two neighbours: those beside a change, and the ramp itself: 0 |3| 9.
    share = smoothed_share(stripes(0, 0, 0, 3, 9, 9, 9))
    assert share == pytest.approx(1 / 3)
    assert smoothed_share(stripes(0, 0, 0, 9, 9, 9, 9)) == 0.0
    # A ramp of two: four pixels at borders, two of them between.
    assert smoothed_share(stripes(0, 0, 2, 6, 9, 9)) == pytest.approx(2 / 4)


def test_a_thin_part_whose_id_lies_outside_those_beside_it_is_no_ramp():
    assert smoothed_share(stripes(0, 0, 0, 12, 9, 9, 9)) == 0.0


def test_a_gradient_and_ignored_borders_are_no_ramp():
    assert smoothed_share(np.tile(np.arange(20, dtype=np.uint8), (40, 1))) == 0.0
    assert smoothed_share(stripes(0, 0, 0, 255, 9, 9, 9)) == 0.0
    assert smoothed_share(stripes(0, 0, 0, 3, 255, 255, 255)) == 0.0


def test_a_mask_of_few_borders_is_not_judged():
    assert smoothed_share(stripes(0, 0, 0, 3, 9, 9, 9, height=LEAST_BORDERS // 3)) == 0.0
    assert smoothed_share(np.zeros((1, 1), np.uint8)) == 0.0


def figure():
    """300 x 200: nested ellipses of ids 5, 9, 13."""
    mask = np.zeros((300, 200), np.uint8)
    for part, axes in ((5, (80, 130)), (9, (50, 90)), (13, (20, 40))):
        cv2.ellipse(mask, (100, 150), axes, 20, 0, 360, part, -1)
    return mask


@pytest.mark.parametrize("factor", [0.3, 0.5, 0.8, 1.3, 2.0, 3.0])
def test_interpolated_masks_are_told_from_those_by_nearest_neighbour(factor):
    mask = figure()
    assert smoothed_share(cv2.resize(mask, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)) > 1.4 * SHARE
    assert smoothed_share(cv2.resize(mask, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)) < SHARE / 3


def test_the_real_mask_is_clean_until_it_is_resized():
    path = builders.REAL / "lip/train_segmentations/684_2150041.png"
    if not path.is_file():
        pytest.skip("no real samples beside the project")
    mask = decode_map(path.read_bytes(), path.name)
    assert smoothed_share(mask) < 0.02
    assert smoothed_share(cv2.resize(mask, None, fx=1.5, fy=1.5)) > 2 * SHARE


def by_the_rule(mask):
    """Pixel by pixel in rows and columns, as the docstring says."""
    ramp = borders = 0
    for lines in (mask.astype(int), mask.T.astype(int)):
        for line in lines:
            for c in range(1, len(line) - 1):
                left, middle, right = line[c - 1 : c + 2]
                if 255 in (left, middle, right):
                    continue
                borders += left != middle or middle != right
                still = [p for p in range(len(line) - 1) if line[p] == line[p + 1]]
                before = any(c - 5 <= p and p + 1 < c for p in still)
                after = any(c < p and p + 1 <= c + 5 for p in still)
                ramp += min(left, right) < middle < max(left, right) and before and after
    return ramp / borders if borders >= LEAST_BORDERS else 0.0


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 7, 8, 12, 30])
def test_masks_of_every_width_are_judged_by_the_rule(width):
    """Narrow ones too, which have no room for neighbours."""
    rng = np.random.default_rng(width)
    found = 0.0
    for height in (1, 3, 5, 70):
        small = rng.integers(0, 20, (2 + height // 6, 2)).astype(np.uint8)
        mask = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        mask[rng.random(mask.shape) < 0.01] = 255
        assert smoothed_share(mask) == by_the_rule(mask)
        found += smoothed_share(mask)
    assert found > 0 or width < 12
