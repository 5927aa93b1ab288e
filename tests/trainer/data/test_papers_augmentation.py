"""The papers' augmentations, as their released code has them, against the parameters that stand for them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.params import Augment
from trainer.data.augment import draw, draw_placement

CORRPM = Augment(flip=0.5, rotate_deg=30, rotate_share=0.6, scale=(0.75, 1.25), scale_law="window")
MULA = Augment(
    flip=0.5, rotate_deg=40, rotate_share=1, rotate_law="uniform", scale=(0.73, 1.37), translate_px=40,
    outside="background",
)  # fmt: skip


def corrpm_point(point, crop_hw, size, window, angle_deg, mirrored):
    """Where CorrPM's centre, scale and rotation take a point of the crop, worked out for one point.

    The box (0, 0, w - 1, h - 1) is widened to the input's aspect and then by `window`. Its centre goes to the input's
    size / 2, its width to the input's width; the direction up is turned by the angle. Its code mirrors the image first.
    """
    (height, width), (input_height, input_width) = crop_hw, size
    x, y = point
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    if mirrored:
        x, centre_x = width - 1 - x, width - centre_x - 1
    box_width = max(width - 1, (height - 1) * input_width / input_height) * window
    scale, angle = input_width / box_width, np.deg2rad(angle_deg)
    dx, dy = x - centre_x, y - centre_y
    return (
        input_width / 2 + scale * (np.cos(angle) * dx + np.sin(angle) * dy),
        input_height / 2 + scale * (-np.sin(angle) * dx + np.cos(angle) * dy),
    )


@pytest.mark.parametrize("crop_hw", [(312, 174), (174, 312), (200, 200)])
def test_corrpms_map_is_ours_but_for_half_a_pixel(crop_hw):
    size, middle = (384, 384), np.array([383 / 2, 383 / 2])
    enlarged = max(crop_hw) / (max(crop_hw) - 1)  # outer centres to outer centres, for areas to areas
    turned = mirrored = 0
    for epoch in range(30):
        draws = draw(0, epoch, "a")
        placement = draw_placement(crop_hw, size, CORRPM, draws)
        window = np.clip(1 + 0.25 * draws.window_normal, 0.75, 1.25)
        angle_deg = np.clip(30 * draws.angle_normal, -60, 60) if draws.rotate < 0.6 else 0
        turned, mirrored = turned + (angle_deg != 0), mirrored + placement.mirrored
        for point in ((0, 0), (crop_hw[1] - 1, 0), (60, 130), (crop_hw[1] - 1, crop_hw[0] - 1)):
            ours = placement.to_input @ [*point, 1]
            theirs = corrpm_point(point, crop_hw, size, window, -angle_deg, draws.flip < 0.5)
            np.testing.assert_allclose(theirs, middle + 0.5 + enlarged * (ours - middle), atol=1e-6)
    assert 5 < turned < 30 and 5 < mirrored < 25


def test_mulas_draws_stay_in_the_bounds_that_its_text_tells():
    size, crop_hw = (256, 256), (256, 140)
    scales, angles, shifts = [], [], []
    for epoch in range(500):
        matrix = draw_placement(crop_hw, size, MULA, draw(0, epoch, "a")).to_input
        flipped = np.linalg.det(matrix[:, :2]) < 0
        linear = matrix[:, :2] @ np.diag([-1 if flipped else 1, 1])
        scales.append(np.hypot(linear[0, 0], linear[1, 0]))
        angles.append(np.rad2deg(np.arctan2(linear[1, 0], linear[0, 0])))
        shifts.append(matrix @ [69.5, 127.5, 1] - 127.5)  # of the crop's middle
    heights = 256 * np.array(scales)  # of a person as tall as the crop
    assert 234 * 0.795 < heights.min() < 234 * 0.82 and 234 * 1.47 < heights.max() < 234 * 1.505
    assert -40 < np.min(angles) < -39 and 39 < np.max(angles) < 40
    assert np.abs(shifts).max() < 40 and np.abs(shifts).max() > 39
    assert np.std(angles) == pytest.approx(40 / np.sqrt(3), rel=0.05)  # uniform
