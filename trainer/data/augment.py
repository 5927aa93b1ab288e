"""Random change of a training sample: one affine map, drawn from the seed, the epoch and the sample's id alone."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.geometry.affine import letterbox
from pipeline.params import Augment
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet


@dataclass(frozen=True)
class Placement:
    """Where a sample goes in the network's input.

    Attributes:
        to_input: (2, 3) float64, crop pixels -> input pixels; holds the mirroring too.
        size: (height, width) of the input.
        mirrored: left and right are exchanged.
    """

    to_input: np.ndarray
    size: tuple[int, int]
    mirrored: bool = False


def place(crop_hw: tuple[int, int], size: tuple[int, int]) -> Placement:
    """The whole crop, centred, aspect ratio kept, unchanged otherwise."""
    return Placement(letterbox(crop_hw, size), size)


class Draws(NamedTuple):
    """The random numbers of a sample in an epoch; all are drawn whatever is switched on, in this order.

    Those named `*_normal` have mean 0 and deviation 1, the others are uniform in [0, 1).
    """

    flip: float
    rotate: float
    angle_normal: float
    scale: float
    window_normal: float
    angle: float
    across: float
    down: float
    brightness: float
    contrast: float
    saturation: float


def draw(seed: int, epoch: int, sample_id: str) -> Draws:
    """Numbers that depend on these three alone, not on the parameters, and so on no switch."""
    random = np.random.default_rng([seed, epoch, zlib.crc32(sample_id.encode())])
    flip, rotate = random.random(2).tolist()
    angle_normal, scale, window_normal = random.standard_normal(), random.random(), random.standard_normal()
    return Draws(flip, rotate, angle_normal, scale, window_normal, *random.random(6).tolist())


def draw_placement(crop_hw: tuple[int, int], size: tuple[int, int], augment: Augment, draws: Draws) -> Placement:
    """The crop letterboxed, then mirrored, scaled and turned about the input's centre, then shifted.

    CorrPM's code builds the same map from a centre and a scale of the crop (tests/trainer/data/test_papers_augmentation.py):
    it takes the box of the outer pixels' centres to the input's size and its centre to size / 2, half a pixel off.
    """
    mirrored = draws.flip < augment.flip
    scale, angle = _scale(augment, draws), math.radians(_angle_deg(augment, draws))
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    side = -1.0 if mirrored else 1.0
    # Where the letterboxed crop's corner lies from the input's centre; plain floats, of which arrays would be as slow as a decoding.
    letterboxed = letterbox(crop_hw, size)
    fitted, left, top = float(letterboxed[0, 0]), float(letterboxed[0, 2]), float(letterboxed[1, 2])
    centre_x, centre_y = (size[1] - 1) / 2, (size[0] - 1) / 2
    x, y = side * (left - centre_x), top - centre_y
    across = augment.translate_px * (2 * draws.across - 1)
    down = augment.translate_px * (2 * draws.down - 1)
    to_input = np.array(
        [
            [side * cosine * fitted, -sine * fitted, cosine * x - sine * y + centre_x + across],
            [side * sine * fitted, cosine * fitted, sine * x + cosine * y + centre_y + down],
        ]
    )
    return Placement(to_input, size, mirrored)


def _angle_deg(augment: Augment, draws: Draws) -> float:
    if draws.rotate >= augment.rotate_share:
        return 0.0
    if augment.rotate_law == "uniform":
        return augment.rotate_deg * (2 * draws.angle - 1)
    return augment.rotate_deg * min(2.0, max(-2.0, draws.angle_normal))


def _scale(augment: Augment, draws: Draws) -> float:
    least, most = augment.scale
    if augment.scale_law == "uniform":
        return least + (most - least) * draws.scale
    window = (least + most) / 2 + (most - least) / 2 * min(1.0, max(-1.0, draws.window_normal))
    return 1 / window


def warp_image(
    image: np.ndarray, placement: Placement, fill: tuple[int, int, int], out: np.ndarray | None = None
) -> np.ndarray:
    """(H, W, 3) uint8 -> (*size, 3) uint8, bilinear, `fill` outside the image; written into `out` where it is given."""
    height, width = placement.size
    return cv2.warpAffine(image, placement.to_input, (width, height), out, cv2.INTER_LINEAR, borderValue=fill)


def warp_mask(
    mask: np.ndarray,
    placement: Placement,
    label_set: LabelSet,
    outside: int = IGNORE,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """(H, W) uint8 -> (*size) uint8, nearest, `outside` around the crop; left and right classes swapped when mirrored.

    Written into `out` where it is given.
    """
    height, width = placement.size
    if placement.mirrored:
        mask = cv2.LUT(mask, label_set.hflip_lut)
    return cv2.warpAffine(mask, placement.to_input, (width, height), out, cv2.INTER_NEAREST, borderValue=outside)


def warp_keypoints(
    keypoints: np.ndarray, placements: Sequence[Placement], keypoint_set: KeypointSet, size: tuple[int, int]
) -> np.ndarray:
    """(N, K, 3) float32 -> (N, K, 3) float32 in input pixels; unlabelled (0, 0, 0) when they fall outside an input of `size`.

    Joints trade places with their counterparts when mirrored.
    """
    mirrored = np.array([placement.mirrored for placement in placements])
    keypoints = np.where(mirrored[:, None, None], keypoints[:, keypoint_set.hflip_index], keypoints)
    to_input = np.array([placement.to_input for placement in placements])
    points = keypoints[..., :2].astype(np.float64) @ to_input[:, :, :2].transpose(0, 2, 1) + to_input[:, None, :, 2]
    inside = ((points > -0.5) & (points < [size[1] - 0.5, size[0] - 0.5])).all(axis=-1)
    kept = np.where(inside & (keypoints[..., 2] > 0), keypoints[..., 2], 0)[..., None]
    return np.concatenate([np.where(kept > 0, points, 0), kept], axis=-1).astype(np.float32)


GREY = np.array([0.299, 0.587, 0.114])
"""How much red, green and blue count in a pixel's brightness."""


def change_colours(image: np.ndarray, augment: Augment, draws: Draws) -> np.ndarray:
    """(H, W, 3) uint8 RGB with brightness, contrast about its mean grey, and saturation changed; clipped once, at the end."""
    if augment.brightness == augment.contrast == augment.saturation == 0:
        return image
    brightness = 1 + augment.brightness * (2 * draws.brightness - 1)
    contrast = 1 + augment.contrast * (2 * draws.contrast - 1)
    saturation = 1 + augment.saturation * (2 * draws.saturation - 1)
    mean_grey = GREY @ cv2.mean(image)[:3]
    linear = saturation * np.eye(3) + (1 - saturation) * GREY  # every row of the second is the pixel's grey
    offset = (1 - contrast) * brightness * mean_grey
    return cv2.transform(image, np.column_stack([contrast * brightness * linear, np.full(3, offset)]))
