"""Placement of a sample in the input: mirror, scale, rotation."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.params import Augment
from pipeline.taxonomy import IGNORE, KEYPOINT_SETS, LABEL_SETS
from trainer.data.augment import Placement, draw_placement, place, warp_image, warp_keypoints, warp_mask

LIP, LIP16 = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]
STILL = Augment(flip=0, rotate_share=0, scale=(1, 1))
HW = (21, 16)


def example():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (*HW, 3), dtype=np.uint8)
    mask = random.integers(0, 20, HW, dtype=np.uint8)
    keypoints = np.column_stack([random.uniform(0, HW[1] - 1, 16), random.uniform(0, HW[0] - 1, 16), np.full(16, 2)])
    return image, mask, keypoints.astype(np.float32)


def warp(placement, image, mask, keypoints):
    return (
        warp_image(image, placement, (1, 2, 3)),
        warp_mask(mask, placement, LIP),
        warp_keypoints(keypoints, placement, LIP16),
    )


def test_no_change_at_the_inputs_size():
    for got, given in zip(warp(draw_placement(HW, HW, STILL, 0, 0, "a"), *example()), example(), strict=True):
        np.testing.assert_allclose(got, given, atol=1e-5)


def test_mirror_exchanges_left_and_right():
    image, mask, keypoints = example()
    placement = draw_placement(HW, HW, Augment(flip=1, rotate_share=0, scale=(1, 1)), 0, 0, "a")
    flipped_image, flipped_mask, flipped_keypoints = warp(placement, image, mask, keypoints)
    assert (flipped_image == image[:, ::-1]).all()
    left, right = LIP.id("left-arm"), LIP.id("right-arm")
    assert ((flipped_mask == left) == (mask[:, ::-1] == right)).all()
    wrist, other = LIP16.keypoint_names.index("left-wrist"), LIP16.keypoint_names.index("right-wrist")
    np.testing.assert_allclose(
        flipped_keypoints[wrist], [HW[1] - 1 - keypoints[other, 0], keypoints[other, 1], 2], rtol=1e-5
    )


def test_mirror_twice_is_the_identity():
    placement = draw_placement(HW, HW, Augment(flip=1, rotate_share=0, scale=(1, 1)), 0, 0, "a")
    for got, given in zip(warp(placement, *warp(placement, *example())), example(), strict=True):
        np.testing.assert_allclose(got, given, atol=1e-5)


def test_image_mask_and_keypoints_move_together():
    hw = (61, 47)
    image, mask = np.zeros((*hw, 3), np.uint8), np.zeros(hw, np.uint8)
    keypoints = np.zeros((16, 3), np.float32)
    for joint, (x, y) in enumerate([(8, 10), (38, 12), (24, 30), (9, 48), (36, 50)]):
        image[y - 3 : y + 4, x - 3 : x + 4], mask[y - 3 : y + 4, x - 3 : x + 4] = 40 * (joint + 1), joint + 1
        keypoints[joint] = (x, y, 2)
    augment = Augment(flip=0, rotate_deg=30, rotate_share=1, scale=(0.8, 1.3))
    for epoch in range(20):
        placement = draw_placement(hw, (96, 64), augment, 0, epoch, "a")
        got_image, got_mask, got_keypoints = warp(placement, image, mask, keypoints)
        for joint, (x, y, v) in enumerate(got_keypoints[:5]):
            if v and 1 < x < 62 and 1 < y < 94:
                assert got_mask[round(y), round(x)] == joint + 1
                assert got_image[round(y), round(x)].tolist() == [40 * (joint + 1)] * 3


def test_outside_of_the_image_is_fill_ignore_and_unlabelled():
    image, mask, keypoints = example()
    keypoints[0] = (-3, 5, 2)
    placement = Placement(np.array([[1.0, 0, 4], [0, 1, 0]]), HW)
    got_image, got_mask, got_keypoints = warp(placement, image, mask, keypoints)
    assert (got_image[:, :4] == (1, 2, 3)).all()
    assert (got_mask[:, :4] == IGNORE).all()
    assert got_keypoints[0, 2] == 2  # outside the crop, yet inside the input
    outside = keypoints[:, 0] + 4 >= HW[1] - 0.5
    assert outside.any()
    assert (got_keypoints[outside] == 0).all()


def test_unlabelled_keypoint_stays_unlabelled():
    keypoints = np.zeros((16, 3), np.float32)
    assert (warp_keypoints(keypoints, place(HW, (64, 64)), LIP16) == 0).all()


def test_draws_depend_on_seed_epoch_and_id_alone():
    def matrix(*key):
        return draw_placement(HW, (64, 48), Augment(), *key).to_input

    assert (matrix(1, 2, "a.b_c") == matrix(1, 2, "a.b_c")).all()
    for other in ((2, 2, "a.b_c"), (1, 3, "a.b_c"), (1, 2, "a.b_d")):
        assert (matrix(*other) != matrix(1, 2, "a.b_c")).any()


def test_rotation_is_normal_and_cut_at_twice_its_deviation():
    augment = Augment(flip=0, rotate_deg=30, rotate_share=0.6, scale=(1, 1))
    angles = []
    for number in range(2000):
        linear = draw_placement(HW, HW, augment, 0, 0, str(number)).to_input[:, :2]
        angles.append(np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0])))
    turned = np.abs(np.array(angles)) > 1e-9
    assert turned.mean() == pytest.approx(0.6, abs=0.05)
    assert np.abs(angles).max() == pytest.approx(60)
    assert np.std(np.array(angles)[turned]) == pytest.approx(29, abs=1.5)
