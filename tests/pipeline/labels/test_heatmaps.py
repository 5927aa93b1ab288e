import math

import numpy as np
import pytest

from pipeline.labels import gaussian_heatmaps

SIZE, STRIDE = (9, 7), 4
"""36 x 28 input pixels."""

KEYPOINTS = np.array(
    [
        (13.0, 17.0, 2),  # inside
        (13.9, 2.0, 1),  # occluded, between cells
        (0.0, 0.0, 2),  # the outer corner
        (27.0, 35.0, 2),  # the opposite one
        (-6.0, 40.0, 2),  # outside, its tail reaches in
        (-500.0, 9.0, 2),  # outside by far
        (3.0, 3.0, 0),  # not annotated
        (5.0, 5.0, -1),
        (math.nan, math.nan, 0),
        (14.0, 18.0, 2),  # a cell's border in the corrpm grid
    ]
)


def corrpm_by_loops(keypoints, size, stride, sigma_cells):
    """Centre int(x / stride + 0.5); exp(-d^2 / 2 sigma^2) in a square window of int(3 sigma) cells each way."""
    maps = np.zeros((len(keypoints), *size))
    for k, (x, y, v) in enumerate(keypoints):
        if v <= 0:
            continue
        centre_x, centre_y = int(x / stride + 0.5), int(y / stride + 0.5)
        reach = int(3 * sigma_cells)
        for row in range(size[0]):
            for column in range(size[1]):
                dx, dy = column - centre_x, row - centre_y
                if abs(dx) <= reach and abs(dy) <= reach:
                    maps[k, row, column] = math.exp(-(dx * dx + dy * dy) / (2 * sigma_cells**2))
    return maps


def exact_by_loops(keypoints, size, stride, sigma_px, cut=math.inf):
    """Cell i lies at stride / 2 - 0.5 + i * stride; zero where the exponent passes `cut`."""
    maps = np.zeros((len(keypoints), *size))
    for k, (x, y, v) in enumerate(keypoints):
        if v <= 0:
            continue
        for row in range(size[0]):
            for column in range(size[1]):
                cell_x, cell_y = (stride / 2 - 0.5 + place * stride for place in (column, row))
                exponent = ((cell_x - x) ** 2 + (cell_y - y) ** 2) / (2 * sigma_px**2)
                maps[k, row, column] = 0 if exponent > cut else math.exp(-exponent)
    return maps


def mula_by_loops(keypoints, size, stride, sigma_px):
    maps = exact_by_loops(keypoints, size, stride, sigma_px, cut=4.6052)
    background = 1 - (maps.max(axis=0) if len(maps) else np.zeros(size))
    return np.concatenate([maps, background[None]])


@pytest.mark.parametrize("stride, size", [(4, (9, 7)), (1, (12, 12)), (8, (5, 4)), (3, (1, 1))])
@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.5, 7.0])
def test_each_convention_equals_its_definition(stride, size, sigma):
    for convention, by_loops, own_space in (
        ("corrpm", corrpm_by_loops, "cells"),
        ("mula", mula_by_loops, "input"),
        ("exact", exact_by_loops, "input"),
    ):
        for space, given in ((None, sigma), ("cells", sigma), ("input", sigma)):
            unit = space or own_space
            in_own_unit = given if unit == own_space else given / stride if own_space == "cells" else given * stride
            found = gaussian_heatmaps(KEYPOINTS, size, stride, given, space, convention)
            expected = by_loops(KEYPOINTS, size, stride, in_own_unit)
            assert found.dtype == np.float32 and found.shape == expected.shape
            np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=f"{convention} {space}")


def border_places(cells, stride):
    """Where something changes along an axis of the input: its borders and beyond, a cell's middle and its border."""
    length = cells * stride
    middle = stride / 2 - 0.5
    inside = [middle, middle + stride * (cells - 1), stride / 2, stride * cells // 2]
    return [0, -0.5, -1e-9, -1, length - 1, length - 0.5, length, -3 * length, 4 * length, *inside]


def test_random_joints_on_the_border_outside_and_missing_equal_the_definition():
    rng = np.random.default_rng(23)
    inside = outside = missing = 0
    for number in range(300):
        size, stride = tuple(int(side) for side in rng.integers(1, 11, 2)), int(rng.choice([1, 2, 3, 4, 8]))
        places = [border_places(cells, stride) for cells in (size[1], size[0])]
        points = np.zeros((5, 3))
        for point in points:
            for axis, cells in ((0, size[1]), (1, size[0])):
                far = rng.uniform(-1.5 * cells * stride, 2.5 * cells * stride)
                near = rng.uniform(0, cells * stride - 1)
                point[axis] = rng.choice([near, near, far, rng.choice(places[axis])])
            point[2] = rng.choice([0, 1, 2])
        known = points[:, 2] > 0
        within = (points[:, :2] >= 0).all(axis=1) & (points[:, :2] <= np.array(size[::-1]) * stride - 1).all(axis=1)
        inside, outside = inside + (known & within).sum(), outside + (known & ~within).sum()
        missing += (~known).sum()
        sigma = float(rng.uniform(0.3, 4))
        for convention, by_loops, unit in (
            ("corrpm", corrpm_by_loops, 1),
            ("mula", mula_by_loops, stride),
            ("exact", exact_by_loops, stride),
        ):
            found = gaussian_heatmaps(points, size, stride, sigma, "cells", convention)
            expected = by_loops(points, size, stride, sigma * unit)
            np.testing.assert_allclose(found, expected, atol=1e-6, err_msg=f"{number} {convention} {size} {stride}")
            assert found.shape == expected.shape and not found[:5][~known].any()
    assert min(inside, outside, missing) > 200


def test_corrpm_by_hand():
    # x 13 -> int(3.75) = 3, y 17 -> int(4.75) = 4; sigma 1 cell, window of 3 cells.
    found = gaussian_heatmaps(np.array([[13.0, 17.0, 2]]), SIZE, STRIDE, 1.0)[0]
    assert found[4, 3] == 1
    assert found[4, 4] == pytest.approx(math.exp(-0.5)) and found[5, 4] == pytest.approx(math.exp(-1))
    assert found[4, 6] == pytest.approx(math.exp(-4.5)) and found[7, 6] == pytest.approx(math.exp(-9))
    assert found[8, 3] == 0 and found[0, 3] == 0


def test_corrpm_negative_centres_round_towards_zero_as_int_does():
    # -5 / 4 + 0.5 = -0.75 -> 0, not -1.
    found = gaussian_heatmaps(np.array([[-5.0, 0.0, 2]]), SIZE, STRIDE, 1.0)[0]
    assert found[0, 0] == 1


def test_mula_cuts_where_the_exponent_passes_4_6052():
    # One row of cells at 0, 1, 2 ...; sigma 1: the exponent at 3 is 4.5, at 4 it is 8.
    found = gaussian_heatmaps(np.array([[0.0, 0.0, 2]]), (1, 6), 1, 1.0, convention="mula")
    np.testing.assert_allclose(found[0, 0], [1, math.exp(-0.5), math.exp(-2), math.exp(-4.5), 0, 0], rtol=1e-6)
    np.testing.assert_allclose(found[1, 0], 1 - found[0, 0], atol=1e-7)


def test_mula_background_is_one_where_nobody_is():
    found = gaussian_heatmaps(np.zeros((3, 3)), SIZE, STRIDE, 7, convention="mula")
    assert found.shape == (4, *SIZE) and not found[:3].any() and (found[3] == 1).all()


@pytest.mark.parametrize("convention, maps", [("corrpm", 0), ("exact", 0), ("mula", 1)])
def test_no_keypoints_give_no_maps(convention, maps):
    found = gaussian_heatmaps(np.zeros((0, 3)), SIZE, STRIDE, 7, convention=convention)
    assert found.shape == (maps, *SIZE) and (found == 1).all()


def test_exact_peak_is_one_on_a_cell_centre_and_sub_cell_elsewhere():
    on_centre = gaussian_heatmaps(np.array([[1.5 + 4 * 3, 1.5 + 4 * 2, 2]]), SIZE, STRIDE, 4, convention="exact")[0]
    assert on_centre[2, 3] == 1 and np.unravel_index(on_centre.argmax(), SIZE) == (2, 3)
    beside = gaussian_heatmaps(np.array([[1.5 + 4 * 3 + 1, 1.5 + 4 * 2, 2]]), SIZE, STRIDE, 4, convention="exact")[0]
    assert beside[2, 3] == pytest.approx(math.exp(-1 / 32)) and beside[2, 4] > beside[2, 2]


def test_peak_cell_contains_the_keypoint():
    rng = np.random.default_rng(2)
    points = np.column_stack([rng.uniform(0, 28 - 1, 50), rng.uniform(0, 36 - 1, 50), np.full(50, 2)])
    maps = gaussian_heatmaps(points, SIZE, STRIDE, 3, convention="exact")
    for (x, y, _), one in zip(points, maps, strict=True):
        row, column = np.unravel_index(one.argmax(), SIZE)
        # The area of cell i is -0.5 + 4 i ... 3.5 + 4 i in pixel coordinates.
        assert (row, column) == (int((y + 0.5) // 4), int((x + 0.5) // 4))


def test_missing_keypoints_give_zeros_whatever_they_hold():
    maps = gaussian_heatmaps(np.array([[math.nan, math.inf, 0], [5, 5, math.nan], [5, 5, -2]]), SIZE)
    assert maps.shape == (3, *SIZE) and not maps.any()


def test_a_tail_of_a_keypoint_outside_is_visible():
    for convention in ("corrpm", "mula", "exact"):
        maps = gaussian_heatmaps(np.array([[-6.0, 10.0, 2]]), SIZE, STRIDE, 2, "cells", convention)
        assert 0 < maps[0].max() < 1 and maps[0].argmax() % SIZE[1] == 0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"keypoints": np.zeros((3, 2))}, r"keypoints: shape \(3, 2\), expected \(K, 3\)"),
        ({"keypoints": np.zeros(3)}, r"keypoints: shape \(3,\), expected \(K, 3\)"),
        ({"keypoints": np.array([[math.nan, 1, 2]])}, r"keypoints: .*nan or infinite"),
        ({"keypoints": np.array([[math.inf, 1, 1]])}, r"keypoints: .*nan or infinite"),
        ({"size": (0, 3)}, r"size: \(0, 3\), expected \(h, w\)"),
        ({"size": (3,)}, r"size: \(3,\), expected \(h, w\)"),
        ({"size": 48}, r"size: 48, expected \(h, w\)"),
        ({"size": (4.5, 3)}, r"size: \(4.5, 3\), expected \(h, w\)"),
        ({"stride": 0}, r"stride: 0, expected a whole number"),
        ({"stride": 2.5}, r"stride: 2.5, expected a whole number"),
        ({"sigma": 0}, r"sigma: 0, expected a number above 0"),
        ({"sigma": -1.0}, r"sigma: -1.0, expected a number above 0"),
        ({"sigma": math.nan}, r"sigma: nan, expected a number above 0"),
        ({"sigma": math.inf}, r"sigma: inf, expected a number above 0"),
        ({"sigma_space": "pixels"}, r"sigma_space: 'pixels', expected 'cells', 'input' or None"),
        ({"convention": "CorrPM"}, r"convention: 'CorrPM', expected one of corrpm, mula, exact"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        gaussian_heatmaps(**{"keypoints": KEYPOINTS, "size": SIZE, **arguments})


@pytest.mark.parametrize("convention", ["corrpm", "mula", "exact"])
def test_many_samples_at_once_are_the_same_as_one_by_one(convention):
    rng = np.random.default_rng(2)
    many = np.concatenate([rng.uniform(-9, 45, (2, 3, 5, 2)), rng.integers(0, 3, (2, 3, 5, 1))], axis=-1)
    together = gaussian_heatmaps(many, SIZE, STRIDE, 3.0, None, convention)
    assert together.shape == (2, 3, 5 + (convention == "mula"), *SIZE) and together.any()
    for place in np.ndindex(2, 3):
        assert np.array_equal(together[place], gaussian_heatmaps(many[place], SIZE, STRIDE, 3.0, None, convention))


@pytest.mark.parametrize("convention", ["corrpm", "mula", "exact"])
def test_float16_is_the_rounded_float32(convention):
    points = np.random.default_rng(5).uniform(-20, 120, (3, 6, 3))
    points[..., 2] = np.arange(6) % 3
    whole = gaussian_heatmaps(points, (21, 17), 5, 9.0, "input", convention)
    half = gaussian_heatmaps(points, (21, 17), 5, 9.0, "input", convention, np.float16)
    assert half.dtype == np.float16
    assert np.array_equal(half, whole.astype(np.float16))
