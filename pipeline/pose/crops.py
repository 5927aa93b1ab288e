"""The crop that a pose network sees, after Xiao et al. 2018: the box at the input's aspect ratio, enlarged by a quarter."""

from __future__ import annotations

import cv2
import numpy as np

EXPAND = 1.25


def crop_matrix(
    box: np.ndarray, input_hw: tuple[int, int], angle_deg: float = 0.0, scale: float = 1.0, mirror: bool = False
) -> np.ndarray:
    """The map from image pixels to a network's input pixels for one person.

    The box's shorter side (measured against the input's aspect ratio) grows until the ratios agree, then both sides
    by EXPAND. Pixel centres are at integer coordinates, so a box covers the area from x - 0.5 to x + w - 0.5; its
    middle goes to the middle of the input's area:
    x_in = s (x - (x_box + (w - 1) / 2)) + (W - 1) / 2 for angle 0, s = input height / enlarged box height.

    Args:
        box: (4,) x, y, w, h in image pixels.
        input_hw: (height, width) of the network's input.
        angle_deg: turns the person about the box's middle, clockwise as seen on the screen.
        scale: further enlargement of the person in the input.
        mirror: flip the input left to right, x_in -> W - 1 - x_in.

    Returns:
        (2, 3) float64.

    Raises:
        ValueError: the box has no area.
    """
    x, y, w, h = (float(value) for value in box)
    if not (w > 0 and h > 0):
        raise ValueError(f"box: {[x, y, w, h]} has no area, expected width and height above 0")
    height, width = input_hw
    box_height = max(h, w * height / width) * EXPAND
    zoom = scale * height / box_height
    cos, sin = zoom * np.cos(np.deg2rad(angle_deg)), zoom * np.sin(np.deg2rad(angle_deg))
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirror:
        linear[0] *= -1
    centre = np.array([x + (w - 1) / 2, y + (h - 1) / 2])
    target = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.concatenate([linear, (target - linear @ centre)[:, None]], axis=1)


def box_in_crop(box: np.ndarray, to_source: np.ndarray) -> np.ndarray:
    """(4,) float32: a person's box x, y, w, h in the source image, in pixels of the crop cut out of it.

    Args:
        to_source: (2, 3) the crop's shift into the source image.
    """
    return np.array([*(np.asarray(box)[:2] - np.asarray(to_source)[:, 2]), *np.asarray(box)[2:]], np.float32)


def warp_crop(image: np.ndarray, matrix: np.ndarray, input_hw: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) uint8 input of (H, W, 3) uint8, bilinear; black outside the image."""
    return cv2.warpAffine(image, matrix, (input_hw[1], input_hw[0]), flags=cv2.INTER_LINEAR)
