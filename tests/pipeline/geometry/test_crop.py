import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry.affine import transform_points
from pipeline.geometry.crop import Window, window_of_box

IMAGE = (30, 40)


def sides(window: Window) -> tuple[int, int, int, int]:
    return window.x0, window.y0, window.x1, window.y1


@pytest.mark.parametrize(
    "box, expand, expected",
    [
        ((5, 6, 10, 8), 0.0, (5, 6, 15, 14)),
        ((5, 6, 10, 8), 0.2, (4, 5, 16, 15)),  # 1 on either side in x, 0.8 in y
        ((10, 10, 10, 10), 0.1, (9, 9, 21, 21)),  # half a pixel is a whole one
        ((10, 10, 10, 10), 0.2, (9, 9, 21, 21)),  # exactly one: 10 * 1.1 as floats would be 11.000000000000002
        ((0, 0, 40, 30), 0.5, (0, 0, 40, 30)),  # cut at the border
        ((39, 29, 1, 1), 0.0, (39, 29, 40, 30)),
        ((-5, -5, 8, 8), 0.0, (0, 0, 3, 3)),
        ((2.5, 3.25, 4.5, 2), 0.0, (2, 3, 7, 6)),  # every touched pixel
    ],
)
def test_window_by_hand(box, expand, expected):
    assert sides(window_of_box(np.array(box, np.float32), IMAGE, expand)) == expected


@given(st.integers(0, 39), st.integers(0, 29), st.integers(1, 40), st.integers(1, 30), st.floats(0, 2))
@settings(max_examples=150, deadline=None)
def test_window_covers_the_box_and_stays_inside_the_image(x, y, w, h, expand):
    x0, y0, x1, y1 = sides(window_of_box(np.array([x, y, w, h]), IMAGE, expand))
    assert 0 <= x0 <= x and 0 <= y0 <= y
    assert min(x + w, IMAGE[1]) <= x1 <= IMAGE[1] and min(y + h, IMAGE[0]) <= y1 <= IMAGE[0]


@pytest.mark.parametrize("expand", [0.1, 0.2, 0.3, 0.6, 1.4])
def test_window_is_enlarged_by_the_same_on_both_sides(expand):
    for side in range(1, 200):
        window = window_of_box(np.array([1000, 1000, side, side]), (3000, 3000), expand)
        assert 1000 - window.x0 == window.x1 - 1000 - side


def test_cut_is_a_copy_of_the_pixels_and_goes_back_by_to_source():
    image = np.arange(30 * 40 * 3, dtype=np.int32).reshape(30, 40, 3)
    window = Window(7, 3, 12, 20)
    cut = window.cut(image)
    assert cut.shape == (17, 5, 3)
    x, y = transform_points(window.to_source, [2, 4]).astype(int)
    assert (x, y) == (9, 7) and np.array_equal(cut[4, 2], image[y, x])
    cut[:] = -1
    assert image.min() == 0


@pytest.mark.parametrize("box", [(50, 5, 4, 4), (5, 31, 4, 4), (-9, 5, 4, 4)])
def test_a_box_outside_the_image_is_refused(box):
    with pytest.raises(ValueError, match=r"box: .*has no area inside an image of 30x40"):
        window_of_box(np.array(box), IMAGE, 0)


@pytest.mark.parametrize("box", [(5, 5, 0, 4), (5, 5, 4, -1), (np.nan, 5, 4, 4), (5, 5, np.inf, 4)])
def test_a_box_without_sides_is_refused(box):
    with pytest.raises(ValueError, match=r"box: .*expected finite x, y, w, h"):
        window_of_box(np.array(box), IMAGE, 0)


@pytest.mark.parametrize("expand", [-0.1, float("nan")])
def test_a_negative_margin_is_refused(expand):
    with pytest.raises(ValueError, match="expand: "):
        window_of_box(np.array([5, 5, 4, 4]), IMAGE, expand)
