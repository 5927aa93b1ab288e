"""Layers: every label of a sample lies where its picture shows it, whatever the crop's size."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.geometry.affine import letterbox, transform_points
from pipeline.labels import gaussian_heatmaps
from pipeline.taxonomy import IGNORE, LABEL_SETS
from trainer.report.layers import (
    HEAT_LEVELS,
    MARGIN,
    TILE_HW,
    edge_palette,
    edge_tile,
    heat_palette,
    heatmap_tile,
    image_tile,
    joint_points,
    mask_palette,
    mask_tile,
    place,
)

LIP = LABEL_SETS["lip"]
SIZES = [(60, 40), (40, 60), (256, 192), (700, 310), (301, 900)]


def middle(weights: np.ndarray) -> np.ndarray:
    """x, y of the centre of weight."""
    rows, columns = np.indices(weights.shape)
    return np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()


def spot(hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) bool with a block of about a tenth of the sides, and its middle x, y."""
    half_h, half_w = hw[0] // 20, hw[1] // 20
    y, x = int(0.3 * hw[0]), int(0.7 * hw[1])
    mask = np.zeros(hw, bool)
    mask[y - half_h : y + half_h + 1, x - half_w : x + half_w + 1] = True
    return mask, np.array([x, y], float)


@pytest.mark.parametrize("hw", SIZES)
def test_image_mask_and_edges_show_a_spot_at_one_place(hw):
    mask, point = spot(hw)
    placement = place(*hw)
    expected = transform_points(placement.to_tile, point)
    image = image_tile(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2), placement)[placement.window]
    parts = mask_tile(mask * np.uint8(5), placement)
    edges = edge_tile(mask.astype(np.uint8), placement)
    offset = [placement.left, placement.top]
    assert np.abs(middle(image[..., 0].astype(float)) + offset - expected).max() < 0.3
    assert np.abs(middle(parts.astype(float)) - expected).max() < 0.7
    assert np.abs(middle(edges.astype(float)) - expected).max() < 0.3


@pytest.mark.parametrize("hw", SIZES)
def test_a_joint_lies_where_it_is(hw):
    """The page measures from the tile's rim, where the first pixel's centre is at 0.5."""
    _, point = spot(hw)
    placement = place(*hw)
    keypoints = np.array([(*point, 2), (*point, 1), (5, 5, 0)], np.float32)
    told = joint_points(keypoints, placement)
    x, y = (point + 0.5) / hw[::-1] * (placement.width, placement.height) + (placement.left, placement.top)
    assert told == [pytest.approx(x, abs=0.051), pytest.approx(y, abs=0.051), 2, *told[:2], 1, 0, 0, 0]


@pytest.mark.parametrize("hw", SIZES)
@pytest.mark.parametrize("convention", ["corrpm", "mula", "exact"])
def test_a_heatmap_peaks_at_its_joint_in_every_convention(hw, convention):
    _, point = spot(hw)
    placement = place(*hw)
    to_input = letterbox(hw, (192, 128))
    keypoints = np.array([[*transform_points(to_input, point), 2]], np.float32)
    sigma = 2.0 if convention == "corrpm" else 8.0
    maps = gaussian_heatmaps(keypoints, (48, 32), 4, sigma, None, convention).astype(np.float16)
    tile = heatmap_tile(maps, to_input, {"stride": 4, "convention": convention}, placement)
    # CorrPM rounds the centre to a cell: up to half a cell, 2 input pixels, off.
    off = 2 / to_input[0, 0] * placement.to_tile[0, 0] if convention == "corrpm" else 0.5
    assert tile.max() < HEAT_LEVELS
    # Pixel i of the half tile covers the pixels 2i and 2i + 1.
    found = 2 * middle((tile > 0.9 * tile.max()).astype(float)) + 0.5
    assert np.abs(found - transform_points(placement.to_tile, point)).max() < off + 1


def test_ignored_pixels_are_grey_and_background_is_clear():
    mask = np.array([[0, IGNORE], [5, 5]], np.uint8)
    placement = place(2, 2)
    layer = mask_palette(LIP)[mask_tile(mask, placement)][placement.window]
    assert layer[0, 0, 3] == 0
    assert layer[0, -1].tolist() == [128, 128, 128, 255]
    assert layer[-1, 0].tolist() == [*LIP.palette[5], 255]


def test_palettes_are_clear_where_nothing_is():
    for palette in (edge_palette(), heat_palette()):
        assert palette.dtype == np.uint8 and palette[0, 3] == 0
        assert (np.diff(palette[:, 3].astype(int)) >= 0).all(), "more is never less to be seen"


@pytest.mark.parametrize("hw", [*SIZES, (1, 5000), (5000, 1)])
def test_a_crop_stays_inside_its_tiles_margin(hw):
    placement = place(*hw)
    assert placement.top >= MARGIN and placement.left >= MARGIN
    assert placement.top + placement.height <= TILE_HW[0] - MARGIN
    assert placement.left + placement.width <= TILE_HW[1] - MARGIN
