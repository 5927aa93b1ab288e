"""Placement of a sample in the input: mirror, scale, rotation, shift; its colours."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from pipeline.params import Augment
from pipeline.taxonomy import IGNORE, KEYPOINT_SETS, LABEL_SETS
from trainer.data.augment import (
    Draws,
    Placement,
    change_colours,
    draw,
    draw_placement,
    place,
    warp_image,
    warp_keypoints,
    warp_mask,
)

LIP, LIP16 = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]
STILL = Augment(flip=0, rotate_share=0, scale=(1, 1))
HW = (21, 16)
ANY = draw(0, 0, "a")
MIDDLE = Draws(flip=0.5, rotate=0.5, angle_normal=0, scale=0.5, window_normal=0, angle=0.5, across=0.5, down=0.5,
               brightness=0.5, contrast=0.5, saturation=0.5)  # fmt: skip
"""Draws that change nothing."""


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
        warp_one(keypoints, placement),
    )


def warp_one(keypoints, placement):
    return warp_keypoints(keypoints[None], [placement], LIP16, placement.size)[0]


def test_no_change_at_the_inputs_size():
    for got, given in zip(warp(draw_placement(HW, HW, STILL, ANY), *example()), example(), strict=True):
        np.testing.assert_allclose(got, given, atol=1e-5)


def test_mirror_exchanges_left_and_right():
    image, mask, keypoints = example()
    placement = draw_placement(HW, HW, Augment(flip=1, rotate_share=0, scale=(1, 1)), ANY)
    flipped_image, flipped_mask, flipped_keypoints = warp(placement, image, mask, keypoints)
    assert (flipped_image == image[:, ::-1]).all()
    left, right = LIP.id("left-arm"), LIP.id("right-arm")
    assert ((flipped_mask == left) == (mask[:, ::-1] == right)).all()
    wrist, other = LIP16.keypoint_names.index("left-wrist"), LIP16.keypoint_names.index("right-wrist")
    np.testing.assert_allclose(
        flipped_keypoints[wrist], [HW[1] - 1 - keypoints[other, 0], keypoints[other, 1], 2], rtol=1e-5
    )


def test_mirror_twice_is_the_identity():
    placement = draw_placement(HW, HW, Augment(flip=1, rotate_share=0, scale=(1, 1)), ANY)
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
        placement = draw_placement(hw, (96, 64), augment, draw(0, epoch, "a"))
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
    assert (warp_one(keypoints, place(HW, (64, 64))) == 0).all()


def test_draws_depend_on_seed_epoch_and_id_alone():
    def matrix(*key):
        return draw_placement(HW, (64, 48), Augment(), draw(*key)).to_input

    assert (matrix(1, 2, "a.b_c") == matrix(1, 2, "a.b_c")).all()
    for other in ((2, 2, "a.b_c"), (1, 3, "a.b_c"), (1, 2, "a.b_d")):
        assert (matrix(*other) != matrix(1, 2, "a.b_c")).any()


def test_rotation_is_normal_and_cut_at_twice_its_deviation():
    augment = Augment(flip=0, rotate_deg=30, rotate_share=0.6, scale=(1, 1))
    angles = []
    for number in range(2000):
        linear = draw_placement(HW, HW, augment, draw(0, 0, str(number))).to_input[:, :2]
        angles.append(np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0])))
    turned = np.abs(np.array(angles)) > 1e-9
    assert turned.mean() == pytest.approx(0.6, abs=0.05)
    assert np.abs(angles).max() == pytest.approx(60)
    assert np.std(np.array(angles)[turned]) == pytest.approx(29, abs=1.5)


def test_uniform_rotation_reaches_its_bound_and_no_further():
    augment = Augment(flip=0, rotate_deg=40, rotate_share=1, rotate_law="uniform", scale=(1, 1))

    def angle_deg(**draws):
        linear = draw_placement(HW, HW, augment, MIDDLE._replace(**draws)).to_input[:, :2]
        return np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0]))

    angles = [angle_deg(angle=number, angle_normal=5) for number in (0, 0.25, 0.5, 0.999999)]
    np.testing.assert_allclose(angles, [-40, -20, 0, 40], atol=1e-3)


def test_scale_is_the_persons_or_the_windows():
    def scale(law, **draws):
        augment = Augment(flip=0, rotate_share=0, scale=(0.75, 1.25), scale_law=law)
        return draw_placement(HW, HW, augment, MIDDLE._replace(**draws)).to_input[0, 0]

    assert scale("uniform", scale=0, window_normal=9) == 0.75
    assert scale("uniform", scale=0.75) == 1.125
    assert scale("window", scale=0) == 1
    assert scale("window", window_normal=0.4) == pytest.approx(1 / 1.1)  # a window of 1.1 times the crop
    assert scale("window", window_normal=-7) == pytest.approx(1 / 0.75)
    assert scale("window", window_normal=7) == pytest.approx(1 / 1.25)


def test_shift_moves_image_mask_and_keypoints_by_whole_input_pixels():
    image, mask, keypoints = example()
    augment = Augment(flip=0, rotate_share=0, scale=(1, 1), translate_px=8)
    placement = draw_placement(HW, HW, augment, MIDDLE._replace(across=0.75, down=0.125))  # 4 right, 6 up
    moved_image, moved_mask, moved_keypoints = warp(placement, image, mask, keypoints)
    assert (moved_image[:-6, 4:] == image[6:, :-4]).all() and (moved_image[:, :4] == (1, 2, 3)).all()
    assert (moved_mask[:-6, 4:] == mask[6:, :-4]).all() and (moved_mask[-6:] == IGNORE).all()
    kept = (keypoints[:, 0] + 4 < HW[1] - 0.5) & (keypoints[:, 1] - 6 > -0.5)
    assert kept.any() and not kept.all()
    np.testing.assert_allclose(moved_keypoints[kept, :2], keypoints[kept, :2] + [4, -6], atol=1e-5)
    assert not moved_keypoints[~kept].any()


def test_shift_comes_after_the_mirror():
    augment = Augment(flip=1, rotate_share=0, scale=(1, 1), translate_px=2)
    placement = draw_placement(HW, HW, augment, MIDDLE._replace(across=0))
    image, *_ = example()
    assert (warp_image(image, placement, (0, 0, 0))[:, :-2] == image[:, ::-1][:, 2:]).all()


def test_what_the_crop_does_not_reach_may_be_background():
    _, mask, _ = example()
    placement = Placement(np.array([[1.0, 0, 4], [0, 1, 0]]), HW, mirrored=True)
    assert (warp_mask(mask, placement, LIP, outside=0)[:, :4] == 0).all()


def test_no_switch_changes_another_draw():
    random = np.random.default_rng([3, 5, zlib.crc32(b"x.1")])
    first = (random.random(), random.random(), random.normal(), random.random())
    draws = draw(3, 5, "x.1")
    assert draws[:4] == first  # whatever is drawn after them
    still = draw_placement(HW, HW, Augment(), draws).to_input
    other = Augment(translate_px=3, scale_law="uniform", brightness=1, contrast=1, saturation=1)
    moved = draw_placement(HW, HW, other, draws).to_input
    np.testing.assert_array_equal(moved[:, :2], still[:, :2])
    np.testing.assert_allclose(moved[:, 2] - still[:, 2], [6 * draws.across - 3, 6 * draws.down - 3])


def test_colours_by_hand():
    image = np.array([[[100, 50, 0], [100, 150, 200]]], np.uint8)  # greys 59.25 and 140.75, mean 100
    unchanged = Augment()
    assert change_colours(image, unchanged, ANY) is image

    def changed(augment, **draws):
        return change_colours(image, augment, MIDDLE._replace(**draws))[0]

    brighter = changed(Augment(brightness=0.4), brightness=0.75, contrast=0, saturation=0)  # 1.2 times
    np.testing.assert_allclose(brighter, [[120, 60, 0], [120, 180, 240]], atol=1)
    clipped = changed(Augment(brightness=1.0), brightness=1.0)
    np.testing.assert_allclose(clipped, [[200, 100, 0], [200, 255, 255]], atol=1)
    flat = changed(Augment(contrast=1.0), contrast=0)
    np.testing.assert_allclose(flat, np.full((2, 3), 100), atol=1)
    half = changed(Augment(contrast=1.0), contrast=0.25)
    np.testing.assert_allclose(half, [[100, 75, 50], [100, 125, 150]], atol=1)
    grey = changed(Augment(saturation=1.0), saturation=0)
    np.testing.assert_allclose(grey, [[59.25] * 3, [140.75] * 3], atol=1)
    all_three = changed(Augment(brightness=0.2, contrast=0.5, saturation=0.5), brightness=1, contrast=0, saturation=0)
    by_steps = 0.5 * (1.2 * image[0].astype(float)) + 0.5 * 120  # mean grey of the brightened image
    greys = by_steps @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(all_three, 0.5 * by_steps + 0.5 * greys[:, None], atol=1)


def test_colours_are_clipped_once():
    image = np.full((2, 2, 3), 200, np.uint8)
    image[0, 0] = 0
    augment = Augment(brightness=1.0, contrast=1.0)
    got = change_colours(image, augment, MIDDLE._replace(brightness=1, contrast=0.25))
    np.testing.assert_allclose(got[1, 1], 255)  # 0.5 * 400 + 0.5 * 300
    np.testing.assert_allclose(got[0, 0], 150, atol=1)


def test_keypoints_of_a_batch_go_each_by_their_own_placement():
    every = np.stack([example()[2] + [shift, 0, 0] for shift in (0, 0.5, 1)]).astype(np.float32)
    every[1, 3] = 0
    placements = [draw_placement(HW, (64, 48), Augment(), draw(0, 0, name)) for name in "abc"]
    assert len({placement.mirrored for placement in placements}) == 2
    together = warp_keypoints(every, placements, LIP16, (64, 48))
    for row, (keypoints, placement) in enumerate(zip(every, placements, strict=True)):
        np.testing.assert_array_equal(together[row], warp_one(keypoints, placement))
