"""A sample's picture and labels as tiles of one size that lie exactly on top of each other.

The picture is opaque; mask, edges and heatmaps are maps of small numbers that a palette colours, joints are points that
the page draws. All of them go through the same `Placement`, so a label that is off in the page is off in the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.geometry.affine import invert, transform_points
from pipeline.taxonomy import IGNORE, LabelSet

TILE_HW = (256, 192)
HEAT_HW = (TILE_HW[0] // 2, TILE_HW[1] // 2)
"""Heatmaps are smooth: half of the pixels show as much."""
MARGIN = 2
"""Pixels left free around a tile, so that its neighbour in the sheet never shows."""
EDGE_LEVELS, HEAT_LEVELS = 16, 64

_IGNORED = (128, 128, 128)
_EDGE = (255, 255, 255)
_PAPER = 128


@dataclass(frozen=True)
class Placement:
    """Where a crop lies in its tile: as large as fits, in the middle."""

    top: int
    left: int
    height: int
    width: int
    to_tile: np.ndarray
    """(2, 3) float64: crop pixels -> tile pixels."""

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the tile that the crop fills."""
        return slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)


def place(height: int, width: int) -> Placement:
    """The placement of a crop of that size."""
    room_h, room_w = TILE_HW[0] - 2 * MARGIN, TILE_HW[1] - 2 * MARGIN
    scale = min(room_h / height, room_w / width)
    new_h, new_w = max(1, round(scale * height)), max(1, round(scale * width))
    top, left = (TILE_HW[0] - new_h) // 2, (TILE_HW[1] - new_w) // 2
    scale_x, scale_y = new_w / width, new_h / height
    # Areas are scaled, and a pixel's centre lies half a pixel inside its area.
    shift_x, shift_y = left + 0.5 * scale_x - 0.5, top + 0.5 * scale_y - 0.5
    return Placement(top, left, new_h, new_w, np.array([[scale_x, 0, shift_x], [0, scale_y, shift_y]]))


def image_tile(image: np.ndarray, placement: Placement) -> np.ndarray:
    """(H, W, 3) uint8 RGB tile of a crop; the page never shows what lies around it."""
    tile = np.full((*TILE_HW, 3), _PAPER, np.uint8)
    smaller = placement.height < image.shape[0]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    tile[placement.window] = cv2.resize(image, (placement.width, placement.height), interpolation=interpolation)
    return tile


def mask_tile(mask: np.ndarray, placement: Placement) -> np.ndarray:
    """(H, W) uint8 part ids, 0 around the crop."""
    tile = np.zeros(TILE_HW, np.uint8)
    size = (placement.width, placement.height)
    tile[placement.window] = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return tile


def edge_tile(edge: np.ndarray, placement: Placement) -> np.ndarray:
    """(H, W) uint8 below EDGE_LEVELS: how much of the pixel is edge."""
    share = cv2.resize(edge.astype(np.float32), (placement.width, placement.height), interpolation=cv2.INTER_AREA)
    tile = np.zeros(TILE_HW, np.uint8)
    tile[placement.window] = np.round(share * (EDGE_LEVELS - 1))
    return tile


def heatmap_tile(heatmaps: np.ndarray, to_input: np.ndarray, rules: dict[str, Any], placement: Placement) -> np.ndarray:
    """(H / 2, W / 2) uint8 below HEAT_LEVELS: the largest of the heatmaps, 0 around the crop.

    Args:
        heatmaps: (K, h, w) cells; K with the background channel for mula, which is left out.
        to_input: (2, 3) crop pixels -> heatmap input pixels.
        rules: `stride` and `convention` that they were drawn by.
        placement: of the crop.
    """
    joints = heatmaps[:-1] if rules["convention"] == "mula" else heatmaps
    strongest = joints.max(axis=0, initial=0).astype(np.float32)
    # Pixel i of the half tile covers the pixels 2i and 2i + 1.
    to_half = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])
    to_tile = _compose(to_half, _compose(placement.to_tile, _compose(invert(to_input), cell_to_input(rules))))
    warped = cv2.warpAffine(strongest, to_tile, HEAT_HW[::-1], flags=cv2.INTER_LINEAR).clip(0, 1)
    return np.round(warped * (HEAT_LEVELS - 1)).astype(np.uint8)


def joint_points(keypoints: np.ndarray, placement: Placement) -> list[float]:
    """x, y, v of joint after joint, in the tile as the page measures it: from its rim, not from a pixel's centre."""
    points = transform_points(placement.to_tile, keypoints[:, :2].astype(np.float64)) + 0.5
    return [
        value
        for (x, y), v in zip(points.tolist(), keypoints[:, 2].tolist(), strict=True)
        for value in ((round(x, 1), round(y, 1), int(v)) if v > 0 else (0, 0, 0))
    ]


def mask_palette(label_set: LabelSet) -> np.ndarray:
    """(256, 4) uint8 RGBA: parts in their colours, ignored pixels grey, background clear."""
    palette = np.column_stack([label_set.palette, np.full(256, 255, np.uint8)])
    palette[IGNORE] = (*_IGNORED, 255)
    palette[0, 3] = 0
    return palette


def edge_palette() -> np.ndarray:
    """(EDGE_LEVELS, 4) uint8 RGBA: white, the more opaque the more edge."""
    levels = np.linspace(0, 255, EDGE_LEVELS).round().astype(np.uint8)
    return np.column_stack([np.tile(np.array(_EDGE, np.uint8), (EDGE_LEVELS, 1)), levels])


def heat_palette() -> np.ndarray:
    """(HEAT_LEVELS, 4) uint8 RGBA: from clear and dark to bright."""
    levels = np.linspace(0, 1, HEAT_LEVELS)
    ramp = cv2.applyColorMap((255 * levels).astype(np.uint8)[:, None], cv2.COLORMAP_INFERNO)[:, 0, ::-1]
    return np.column_stack([ramp, (230 * np.minimum(1, 1.6 * levels)).astype(np.uint8)])


def cell_to_input(rules: dict[str, Any]) -> np.ndarray:
    """(2, 3) float64: heatmap cells -> input pixels, by the convention's place of a cell's centre."""
    stride = rules["stride"]
    first = 0.0 if rules["convention"] == "corrpm" else stride / 2 - 0.5
    return np.array([[stride, 0, first], [0, stride, first]], np.float64)


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(2, 3) float64: `inner` first, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])
