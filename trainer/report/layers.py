"""A sample's picture and labels as tiles of one size that lie exactly on top of each other.

The picture is opaque, every label is a transparent layer over it. All of them go through the same `Placement`, so a
label that is off in the page is off in the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pipeline.geometry.affine import invert, transform_points
from pipeline.overlay import overlay_keypoints
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet

TILE_HW = (256, 192)
MARGIN = 2
"""Pixels left free around a tile, so that its neighbour in the sheet never shows."""
PAPER = (233, 236, 240)
"""RGB around a picture; the page's style has it, too."""

_IGNORED = (128, 128, 128)
_EDGE = (255, 255, 255)


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
    """(H, W, 3) uint8 RGB tile of a crop."""
    tile = np.full((*TILE_HW, 3), PAPER, np.uint8)
    smaller = placement.height < image.shape[0]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    tile[placement.window] = cv2.resize(image, (placement.width, placement.height), interpolation=interpolation)
    return tile


def mask_layer(mask: np.ndarray, label_set: LabelSet, placement: Placement) -> np.ndarray:
    """(H, W, 4) uint8 RGBA: parts in their colours, ignored pixels grey, background clear."""
    palette = label_set.palette.copy()
    palette[IGNORE] = _IGNORED
    ids = cv2.resize(mask, (placement.width, placement.height), interpolation=cv2.INTER_NEAREST_EXACT)
    layer = _clear()
    layer[placement.window] = np.dstack([palette[ids], np.where(ids == 0, 0, 255)])
    return layer


def edge_layer(edge: np.ndarray, placement: Placement) -> np.ndarray:
    """(H, W, 4) uint8 RGBA: edges white, the rest clear."""
    alpha = cv2.resize(edge * np.uint8(255), (placement.width, placement.height), interpolation=cv2.INTER_AREA)
    layer = _clear()
    layer[placement.window] = np.dstack([np.full((*alpha.shape, 3), _EDGE, np.uint8), alpha])
    return layer


def joint_layer(keypoints: np.ndarray, keypoint_set: KeypointSet, placement: Placement) -> np.ndarray:
    """(H, W, 4) uint8 RGBA: limbs and joints, the rest clear."""
    drawn = keypoints.astype(np.float64)
    in_tile = transform_points(placement.to_tile, drawn[:, :2])
    # Drawn twice as large on a canvas of half the tile's size: joints of four pixels, limbs of two.
    drawn[:, :2] = (in_tile + 0.5) / 2 - 0.5
    half = (TILE_HW[0] // 2, TILE_HW[1] // 2, 3)
    on_black, on_white = (
        overlay_keypoints(np.full(half, value, np.uint8), drawn, keypoint_set, scale=2).astype(int)
        for value in (0, 255)
    )
    # What white shines through is clear; the colour follows from the black canvas.
    alpha = 255 - (on_white - on_black).max(axis=2)
    colour = np.where(alpha[..., None] > 0, on_black * 255 // np.maximum(alpha, 1)[..., None], 0)
    return np.dstack([colour.clip(0, 255), alpha]).astype(np.uint8)


def heatmap_layer(
    heatmaps: np.ndarray, to_input: np.ndarray, rules: dict[str, Any], placement: Placement
) -> np.ndarray:
    """(H, W, 4) uint8 RGBA: the largest of the heatmaps, clear where they are zero.

    Args:
        heatmaps: (K, h, w) cells; K with the background channel for mula, which is left out.
        to_input: (2, 3) crop pixels -> heatmap input pixels.
        rules: `stride` and `convention` that they were drawn by.
        placement: of the crop.
    """
    joints = heatmaps[:-1] if rules["convention"] == "mula" else heatmaps
    strongest = joints.max(axis=0, initial=0).astype(np.float32)
    to_tile = _compose(placement.to_tile, _compose(invert(to_input), cell_to_input(rules)))
    warped = cv2.warpAffine(strongest, to_tile, TILE_HW[::-1], flags=cv2.INTER_LINEAR).clip(0, 1)
    colours = cv2.applyColorMap((255 * warped).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    whole = np.dstack([colours, (255 * np.minimum(1, 1.6 * warped) * 0.9).astype(np.uint8)])
    layer = _clear()
    layer[placement.window] = whole[placement.window]
    return layer


def cell_to_input(rules: dict[str, Any]) -> np.ndarray:
    """(2, 3) float64: heatmap cells -> input pixels, by the convention's place of a cell's centre."""
    stride = rules["stride"]
    first = 0.0 if rules["convention"] == "corrpm" else stride / 2 - 0.5
    return np.array([[stride, 0, first], [0, stride, first]], np.float64)


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(2, 3) float64: `inner` first, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def _clear() -> np.ndarray:
    return np.zeros((*TILE_HW, 4), np.uint8)
