"""Pictures of labels over their image: part masks, edges, joints, heatmaps, and contact sheets of them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.geometry.affine import invert
from pipeline.records import Sample
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet

LEFT, RIGHT, MIDDLE = (255, 90, 60), (60, 150, 255), (250, 220, 60)
"""RGB of the person's own left, own right, and of what has no side."""

_GREY = (128, 128, 128)


def overlay_mask(image: np.ndarray, mask: np.ndarray, label_set: LabelSet, alpha: float = 0.55) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the mask's colours over the image; ignored pixels grey, background as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) uint8 part ids.
        label_set: whose palette.
        alpha: weight of the colour.
    """
    palette = label_set.palette.copy()
    palette[IGNORE] = _GREY
    blended = cv2.addWeighted(image, 1 - alpha, palette[mask], alpha, 0)
    return np.where(mask[..., None] == 0, image, blended)


def overlay_edges(image: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB: edges in white over the darkened image."""
    dark = image // 3
    dark[edge > 0] = 255
    return dark


def overlay_keypoints(
    image: np.ndarray,
    keypoints: np.ndarray,
    keypoint_set: KeypointSet,
    scale: int = 1,
    thickness: int | None = None,
) -> np.ndarray:
    """(scale H, scale W, 3) uint8 RGB: limbs and joints; occluded joints are rings, missing ones absent.

    Args:
        image: (H, W, 3) uint8 RGB.
        keypoints: (K, 3) x, y, v in the image's pixels.
        keypoint_set: names and limbs.
        scale: enlargement of the picture, so that joints of small people can be told apart.
        thickness: of the limbs in pixels of the picture; None is `scale`.
    """
    thick = scale if thickness is None else thickness
    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    # The centre of pixel i comes to lie at scale * (i + 0.5) - 0.5.
    points = np.round(scale * (keypoints[:, :2] + 0.5) - 0.5).astype(int)
    present = keypoints[:, 2] > 0
    for a, b in keypoint_set.limb_indices:
        if present[a] and present[b]:
            colour = _side_colour(keypoint_set.keypoint_names[a], keypoint_set.keypoint_names[b])
            cv2.line(canvas, points[a].tolist(), points[b].tolist(), colour, max(1, thick), cv2.LINE_AA)
    for name, point, v in zip(keypoint_set.keypoint_names, points, keypoints[:, 2], strict=True):
        if v > 0:
            cv2.circle(canvas, point.tolist(), 2 * thick, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(canvas, point.tolist(), 2 * thick - 1, _side_colour(name), -1 if v >= 2 else 1, cv2.LINE_AA)
    return canvas


def overlay_heatmaps(
    image: np.ndarray, heatmaps: np.ndarray, to_input: np.ndarray, stride: int, convention: str = "corrpm"
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the largest of the heatmaps over the image, put back through the letterbox.

    Args:
        image: (H, W, 3) uint8 RGB.
        heatmaps: (K, h, w), cells.
        to_input: (2, 3) image pixels -> heatmap input pixels.
        stride: input pixels per cell.
        convention: where the heatmaps' cells lie in the input, see `gaussian_heatmaps`.
    """
    height, width = image.shape[:2]
    to_cell = np.array(to_input, np.float64)
    to_cell[:, 2] -= 0 if convention == "corrpm" else stride / 2 - 0.5
    to_cell /= stride
    strongest = np.asarray(
        cv2.warpAffine(
            heatmaps.max(axis=0).astype(np.float32), invert(to_cell), (width, height), flags=cv2.INTER_LINEAR
        )
    )
    heat = cv2.applyColorMap((255 * strongest.clip(0, 1)).astype(np.uint8), cv2.COLORMAP_INFERNO)
    weight = (0.35 + 0.65 * strongest.clip(0, 1))[..., None]
    blended = image * (1 - weight) * 0.8 + cv2.cvtColor(heat, cv2.COLOR_BGR2RGB) * weight
    return blended.astype(np.uint8)


def sample_tiles(
    sample: Sample,
    label_set: LabelSet,
    keypoint_set: KeypointSet | None,
    heatmaps: np.ndarray | None = None,
    stride: int = 4,
    convention: str = "corrpm",
) -> dict[str, np.ndarray]:
    """Title -> (H, W, 3) uint8 RGB picture, for every label that the sample has."""
    image = sample.decode_image()
    tiles = {"image": image}
    mask, edge = sample.decode_mask(), sample.decode_edge()
    if mask is not None:
        tiles["parts"] = overlay_mask(image, mask, label_set)
    if edge is not None:
        tiles["edges"] = overlay_edges(image, edge)
    if sample.keypoints is not None and keypoint_set is not None:
        tiles["joints"] = overlay_keypoints(image, sample.keypoints, keypoint_set, scale=2)
    if heatmaps is not None and sample.to_heatmap_input is not None:
        tiles["heatmaps"] = overlay_heatmaps(
            image,
            heatmaps[: len(keypoint_set)] if keypoint_set else heatmaps,
            sample.to_heatmap_input,
            stride,
            convention,
        )
    return tiles


def contact_sheet(
    rows: Sequence[tuple[str, dict[str, np.ndarray]]], tile_hw: tuple[int, int] = (260, 190)
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: one row per sample, its name above its pictures.

    Args:
        rows: name and title -> picture, as `sample_tiles` gives them.
        tile_hw: the box that each picture is fitted into.
    """
    columns = list(dict.fromkeys(title for _, tiles in rows for title in tiles))
    height, width, gap, line = *tile_hw, 6, 18
    sheet = np.full((len(rows) * (height + line + gap) + gap, len(columns) * (width + gap) + gap, 3), 245, np.uint8)
    for row, (name, tiles) in enumerate(rows):
        top = gap + row * (height + line + gap)
        for column, title in enumerate(columns):
            left = gap + column * (width + gap)
            _caption(sheet, f"{name}" if column == 0 else title, left, top + line - 5)
            if title in tiles:
                _place(sheet, tiles[title], top + line, left, tile_hw)
    return sheet


def legend(label_set: LabelSet, width: int) -> np.ndarray:
    """(H, width, 3) uint8 RGB: each class's colour and name."""
    cell, line = 150, 20
    columns = max(1, width // cell)
    rows = -(-(len(label_set) - 1) // columns)
    strip = np.full((rows * line + 8, width, 3), 245, np.uint8)
    for place, name in enumerate(label_set.part_names[1:]):
        x, y = 6 + (place % columns) * cell, 4 + (place // columns) * line
        cv2.rectangle(strip, (x, y + 3), (x + 12, y + 15), label_set.palette[place + 1].tolist(), -1)
        _caption(strip, name, x + 18, y + 14)
    return strip


def _place(sheet: np.ndarray, picture: np.ndarray, top: int, left: int, tile_hw: tuple[int, int]) -> None:
    height, width = picture.shape[:2]
    scale = min(tile_hw[0] / height, tile_hw[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    sheet[top : top + size[1], left : left + size[0]] = fitted


def _caption(sheet: np.ndarray, text: str, left: int, baseline: int) -> None:
    cv2.putText(sheet, text[:26], (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 30, 30), 1, cv2.LINE_AA)


def _side_colour(*names: str) -> tuple[int, int, int]:
    if any(name.startswith("left-") for name in names) and not any(name.startswith("right-") for name in names):
        return LEFT
    if any(name.startswith("right-") for name in names) and not any(name.startswith("left-") for name in names):
        return RIGHT
    return MIDDLE
