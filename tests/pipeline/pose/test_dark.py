"""Distribution-aware decoding: Gaussians at known places, and a slow reference written from the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipeline.pose.dark import decode_dark


def gaussians(points: np.ndarray, height: int, width: int, sigma: float) -> np.ndarray:
    """(1, K, h, w) float32, peak 1."""
    rows, columns = np.mgrid[:height, :width]
    squared = (columns - points[:, 0, None, None]) ** 2 + (rows - points[:, 1, None, None]) ** 2
    return np.exp(-squared / (2 * sigma**2))[None].astype(np.float32)


def slow_dark(heatmap: np.ndarray, sigma: float) -> tuple[float, float]:
    """Blur by the definition, then one Newton step on the logarithm, all in loops."""
    height, width = heatmap.shape
    reach = math.ceil(3 * sigma)
    weights = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(-reach, reach + 1)]
    total = sum(weights)

    def log_blurred(y: int, x: int) -> float:
        value = 0.0
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                if 0 <= y + down < height and 0 <= x + right < width:
                    weight = weights[down + reach] * weights[right + reach] / total**2
                    value += weight * float(heatmap[y + down, x + right])
        return math.log(max(value, 1e-10))

    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if not (2 <= x < width - 2 and 2 <= y < height - 2):
        return float(x), float(y)
    near = {(down, right): log_blurred(y + down, x + right) for down in range(-2, 3) for right in range(-2, 3)}
    gradient = np.array([near[0, 1] - near[0, -1], near[1, 0] - near[-1, 0]]) / 2
    mixed = (near[1, 1] - near[1, -1] - near[-1, 1] + near[-1, -1]) / 4
    across = (near[0, 2] - 2 * near[0, 0] + near[0, -2]) / 4
    down = (near[2, 0] - 2 * near[0, 0] + near[-2, 0]) / 4
    hessian = np.array([[across, mixed], [mixed, down]])
    if not (np.linalg.eigvalsh(hessian) < 0).all():
        return float(x), float(y)
    step = -np.linalg.solve(hessian, gradient)
    return (float(x), float(y)) if np.abs(step).max() > 1 else (x + step[0], y + step[1])


@pytest.mark.parametrize(("height", "width", "sigma"), [(64, 48, 2.0), (96, 72, 3.0), (32, 24, 1.5)])
def test_gaussians_are_found_where_they_were_placed(height, width, sigma):
    random, margin = np.random.default_rng(0), 3 * sigma + 2
    points = random.uniform(margin, [width - 1 - margin, height - 1 - margin], (200, 2))
    found = decode_dark(gaussians(points, height, width, sigma), sigma)[0]
    assert np.abs(found[:, :2] - points).max() < 0.05
    assert ((points - found[:, :2]) ** 2).mean() < ((points - points.round()) ** 2).mean() / 100


def test_a_gaussian_of_another_width_and_height_is_found_as_well():
    points = np.array([[20.3, 30.4], [25.75, 20.1]])
    found = decode_dark(0.3 * gaussians(points, 64, 48, 2.6), 2.0)[0]
    assert np.abs(found[:, :2] - points).max() < 0.05
    assert found[:, 2] == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_the_slow_reference(seed):
    random = np.random.default_rng(seed)
    sigma = 1.5
    maps = gaussians(random.uniform(0, [17, 21], (6, 2)), 22, 18, sigma)
    maps += 0.05 * random.random(maps.shape, dtype=np.float32)  # noise moves peaks and bends the tops
    maps = np.concatenate([maps, random.random((1, 2, 22, 18), dtype=np.float32)], axis=1)  # nothing but noise
    found = decode_dark(maps, sigma)[0]
    expected = np.array([slow_dark(one, sigma) for one in maps[0]])
    np.testing.assert_allclose(found[:, :2], expected, atol=2e-4)
    np.testing.assert_array_equal(found[:, 2], maps[0].max(axis=(1, 2)))


def test_flat_and_tiny_maps_keep_their_peak_on_its_cell():
    assert decode_dark(np.zeros((1, 1, 9, 9), np.float32), 2.0)[0, 0].tolist() == [0, 0, 0]
    one = np.zeros((2, 1, 3, 2), np.float32)
    one[1, 0, 2, 1] = -1
    one[0, 0, 1, 1] = 0.5
    assert decode_dark(one, 2.0)[:, 0].tolist() == [[1, 1, 0.5], [0, 0, 0]]
    assert decode_dark(np.zeros((0, 17, 9, 9), np.float32), 2.0).shape == (0, 17, 3)
