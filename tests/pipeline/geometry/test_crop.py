import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.geometry.affine import transform_points, translation
from pipeline.geometry.crop import Window, paste_back, window_of_box, window_of_mask

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


def test_a_window_shows_what_lies_in_it_of_another():
    part = np.arange(1, 7).reshape(2, 3)  # columns 4 ... 6, rows 10 and 11
    own = Window(4, 10, 7, 12)
    assert Window(5, 9, 9, 12).look_at(part, own).tolist() == [[0, 0, 0, 0], [2, 3, 0, 0], [5, 6, 0, 0]]
    assert Window(0, 11, 5, 12).look_at(part, own).tolist() == [[0, 0, 0, 0, 4]]
    assert np.array_equal(own.look_at(part, own), part)
    for apart in (Window(7, 10, 9, 12), Window(4, 12, 7, 13), Window(0, 0, 2, 2)):
        assert not apart.look_at(part, own).any() and apart.look_at(part, own).shape == apart.hw
    assert Window(4, 10, 6, 11).look_at(np.dstack([part, -part]), own).tolist() == [[[1, -1], [2, -2]]]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_a_part_seen_from_a_window_is_the_whole_cut_by_it(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(1, 255, (9, 11))
    (x0, x1), (y0, y1), (left, right), (top, bottom) = (
        sorted(rng.choice(side + 1, 2, replace=False)) for side in (11, 9, 11, 9)
    )
    own, window = Window(x0, y0, x1, y1), Window(left, top, right, bottom)
    alone = np.zeros_like(image)
    alone[y0:y1, x0:x1] = image[y0:y1, x0:x1]
    assert np.array_equal(window.look_at(own.cut(image), own), window.cut(alone))


def test_the_window_of_a_mask_is_tight():
    mask = np.zeros((6, 8), bool)
    mask[2, 5] = mask[4, 3] = True
    assert sides(window_of_mask(mask)) == (3, 2, 6, 5)
    assert sides(window_of_mask(np.ones((3, 2), bool))) == (0, 0, 2, 3)
    assert window_of_mask(np.zeros((3, 2), bool)).hw == (0, 0)


@pytest.mark.parametrize("values", [np.uint8, bool, np.float32])
def test_a_crop_goes_back_to_its_place(values):
    crop = np.array([[1, 2], [0, 4]]).astype(values)
    back = paste_back(crop, translation(1, 2), (5, 4))
    expected = np.zeros((5, 4), values)
    expected[2:4, 1:3] = crop
    assert back.dtype == crop.dtype and np.array_equal(back, expected)
    assert paste_back(np.array([[7]], np.uint8), translation(3, 0), (1, 4), fill=255).tolist() == [[255, 255, 255, 7]]
    assert paste_back(np.ones((2, 2, 3), values), translation(0, 0), (2, 3)).shape == (2, 3, 3)


def test_every_window_of_an_image_goes_back_by_its_own_map():
    image = np.arange(30 * 40).reshape(30, 40)
    for box in [(0, 0, 40, 30), (5, 6, 10, 8), (35, 25, 9, 9), (2.5, 3.25, 4.5, 2)]:
        window = window_of_box(np.array(box, np.float32), (30, 40), 0.2)
        back = paste_back(window.cut(image), window.to_source, (30, 40), fill=-1)
        inside = back >= 0
        assert np.array_equal(back[inside], image[inside]) and inside.sum() == window.hw[0] * window.hw[1]


@pytest.mark.parametrize(
    "matrix",
    [translation(0.5, 0), [[2, 0, 0], [0, 1, 0]], [[0, -1, 3], [1, 0, 0]], np.eye(3), [[1, 0, np.nan], [0, 1, 0]]],
)
def test_a_map_that_resamples_is_refused(matrix):
    with pytest.raises(ValueError, match=r"to_source: .*expected a \(2, 3\) shift by whole pixels"):
        paste_back(np.ones((2, 2)), matrix, (5, 5))


@pytest.mark.parametrize("x, y", [(-1, 0), (0, -1), (3, 0), (0, 4)])
def test_a_crop_that_sticks_out_of_the_image_is_refused(x, y):
    with pytest.raises(ValueError, match=rf"crop: 2x3 at \({x}, {y}\) does not lie inside an image of 5x5"):
        paste_back(np.ones((2, 3)), translation(x, y), (5, 5))
