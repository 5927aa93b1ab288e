import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry.affine import invert, letterbox, transform_points, translation

SIDE = st.integers(1, 400)


def test_translation_moves_points():
    assert transform_points(translation(3, -2), [[1, 5], [0, 0]]).tolist() == [[4, 3], [3, -2]]


def test_points_may_have_any_leading_shape():
    assert transform_points(translation(1, 1), np.zeros((2, 3, 2))).shape == (2, 3, 2)
    assert transform_points(translation(1, 1), [4, 5]).tolist() == [5, 6]


def test_letterbox_by_hand():
    # 10 x 20 into 20 x 20: scale 1, 5 rows above. 20 x 10 into 10 x 10: scale 0.5, 2.5 columns on the left.
    assert letterbox((10, 20), (20, 20)).tolist() == [[1, 0, 0], [0, 1, 5]]
    # Pixel 0 of the source covers -0.5 ... 0.5, which becomes 0 ... 0.5 in area coordinates: centre 2.5 + 0.25 - 0.5.
    assert letterbox((20, 10), (10, 10)).tolist() == [[0.5, 0, 2.25], [0, 0.5, -0.25]]
    # Twice as large: pixel 0 becomes pixels 0 and 1, its centre 0.5.
    assert letterbox((4, 4), (8, 8)).tolist() == [[2, 0, 0.5], [0, 2, 0.5]]


def test_letterbox_of_one_pixel_fills_the_shorter_side():
    assert transform_points(letterbox((1, 1), (9, 5)), [0, 0]).tolist() == [2, 4]
    assert letterbox((1, 1), (1, 1)).tolist() == [[1, 0, 0], [0, 1, 0]]


@given(SIDE, SIDE, SIDE, SIDE)
@settings(max_examples=150, deadline=None)
def test_letterbox_keeps_the_aspect_fits_and_is_centred(height, width, target_height, target_width):
    matrix = letterbox((height, width), (target_height, target_width))
    assert matrix[0, 0] == matrix[1, 1] > 0 and matrix[0, 1] == matrix[1, 0] == 0
    corners = transform_points(matrix, [[-0.5, -0.5], [width - 0.5, height - 0.5]])
    margins = np.array([corners[0] + 0.5, [target_width - 0.5, target_height - 0.5] - corners[1]])
    np.testing.assert_allclose(margins[0], margins[1], atol=1e-9)
    assert margins.min() > -1e-9
    # One side is filled.
    np.testing.assert_allclose(margins[0].min(), 0, atol=1e-9)


@given(SIDE, SIDE, SIDE, SIDE)
@settings(max_examples=50, deadline=None)
def test_letterbox_and_its_inverse_return_the_point(height, width, target_height, target_width):
    matrix = letterbox((height, width), (target_height, target_width))
    points = np.array([[0, 0], [width - 1, height - 1], [width / 3, -2.5]])
    np.testing.assert_allclose(transform_points(invert(matrix), transform_points(matrix, points)), points, atol=1e-7)


def test_inverse_of_a_rotation_and_shear():
    matrix = np.array([[2.0, 1, 3], [-1, 1, -4]])
    # det 3: inverse [[1, -1], [1, 2]] / 3, and the shift is minus that times (3, -4).
    np.testing.assert_allclose(invert(matrix), np.array([[1, -1, -7], [1, 2, 5]]) / 3)


def test_a_map_without_inverse_is_refused():
    with pytest.raises(ValueError, match=r"matrix: .*has no inverse"):
        invert(np.array([[1.0, 2, 0], [2, 4, 0]]))


@pytest.mark.parametrize("sizes, name", [(((0, 5), (5, 5)), "source_hw"), (((5, 5), (5, 0)), "target_hw")])
def test_empty_sizes_are_refused(sizes, name):
    with pytest.raises(ValueError, match=f"{name}: .*at least 1 pixel"):
        letterbox(*sizes)
