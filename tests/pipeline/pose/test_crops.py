"""The crop's matrix, by hand."""

import cv2
import numpy as np
import pytest

from pipeline.geometry.affine import invert, transform_points
from pipeline.pose.crops import crop_matrix, warp_crop

INPUT_HW = (128, 96)


def test_a_tall_box_is_widened_and_both_sides_grow_by_a_quarter():
    # Box of 100 rows: enlarged to 125 rows, so the scale is 128 / 125; its middle is at (10 + 29.5 / ..., 20 + 49.5).
    matrix = crop_matrix(np.array([10, 20, 40, 100]), INPUT_HW)
    np.testing.assert_allclose(matrix[:, :2], np.eye(2) * 128 / 125)
    np.testing.assert_allclose(transform_points(matrix, np.array([29.5, 69.5])), [47.5, 63.5])


def test_a_wide_box_is_heightened():
    # 96 columns at a ratio of 4 : 3 need 128 rows.
    matrix = crop_matrix(np.array([0, 0, 96, 40]), INPUT_HW)
    np.testing.assert_allclose(matrix[0, 0], 128 / 160)


def test_a_box_of_the_input_s_own_area_keeps_every_pixel():
    # The box enlarged by a quarter is the whole 128 x 96 image.
    matrix = crop_matrix(np.array([9.6, 12.8, 76.8, 102.4]), INPUT_HW)
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-12)
    image = np.random.default_rng(0).integers(0, 256, (128, 96, 3), dtype=np.uint8)
    np.testing.assert_array_equal(warp_crop(image, np.round(matrix, 9), INPUT_HW), image)


def test_the_inverse_takes_points_back():
    matrix = crop_matrix(np.array([3.2, 4.1, 17, 59]), INPUT_HW, angle_deg=33, scale=0.8, mirror=True)
    points = np.random.default_rng(1).uniform(-20, 80, (7, 2))
    np.testing.assert_allclose(transform_points(invert(matrix), transform_points(matrix, points)), points)


def test_mirror_is_width_minus_one_minus_x():
    box = np.array([5, 6, 20, 30])
    plain, mirrored = (crop_matrix(box, INPUT_HW, angle_deg=10, mirror=mirror) for mirror in (False, True))
    points = np.array([[7.0, 9.0], [20.0, 31.0]])
    expected = transform_points(plain, points)
    expected[:, 0] = 95 - expected[:, 0]
    np.testing.assert_allclose(transform_points(mirrored, points), expected)


def test_a_positive_angle_turns_clockwise_on_the_screen():
    matrix = crop_matrix(np.array([0, 0, 30, 40]), INPUT_HW, angle_deg=90)
    right_of_middle = transform_points(matrix, np.array([24.5, 19.5]))
    np.testing.assert_allclose(right_of_middle, [47.5, 63.5 + 10 * 128 / 50])


def test_a_box_without_area_is_named():
    with pytest.raises(ValueError, match=r"box: \[1.0, 2.0, 0.0, 5.0\] has no area"):
        crop_matrix(np.array([1, 2, 0, 5]), INPUT_HW)


def authors_matrix(box, input_hw) -> np.ndarray:
    """The map of the code of Xiao et al.: centre and scale in units of 200 pixels, three pairs of points."""
    x, y, w, h = box
    height, width = input_hw
    centre = np.array([x + w * 0.5, y + h * 0.5])
    if w > h * width / height:
        h = w * height / width
    else:
        w = h * width / height
    scale = np.array([w, h]) / 200 * 1.25
    up, middle = np.array([0, -scale[0] * 200 / 2]), np.array([width / 2, height / 2])
    up_there = np.array([0, -width / 2])
    source = np.array([centre, centre + up, centre + up + (up[1], 0)], np.float32)
    target = np.array([middle, middle + up_there, middle + up_there + (up_there[1], 0)], np.float32)
    return cv2.getAffineTransform(source, target)


@pytest.mark.parametrize("box", [[10, 20, 40, 100], [3.5, -7.25, 90, 41], [0, 0, 1, 1], [300, 200, 511, 700]])
@pytest.mark.parametrize("input_hw", [(256, 192), (384, 288), (128, 96)])
def test_the_authors_crop_is_ours_but_for_where_a_pixel_s_centre_lies(box, input_hw):
    ours, theirs = crop_matrix(np.array(box), input_hw), authors_matrix(box, input_hw)
    zoom = ours[0, 0]
    np.testing.assert_allclose(theirs[:, :2], ours[:, :2], rtol=1e-4, atol=1e-6)
    # Theirs maps a pixel's centre as if it were its corner; the whole crop lies (1 - zoom) / 2 input pixels away.
    np.testing.assert_allclose(theirs[:, 2] - ours[:, 2], (1 - zoom) / 2, atol=2e-3 * max(1, zoom))
