"""Random change of a training sample: one affine map, drawn from the seed, the epoch and the sample's id alone."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.geometry.affine import letterbox, transform_points
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


def draw_placement(
    crop_hw: tuple[int, int], size: tuple[int, int], augment: Augment, seed: int, epoch: int, sample_id: str
) -> Placement:
    """The crop letterboxed, then mirrored, scaled and rotated about the input's centre.

    The angle is normal with deviation `augment.rotate_deg`, cut at twice that, in `augment.rotate_share` of samples;
    the scale is uniform in `augment.scale`. Always four numbers are drawn, so that no switch changes another draw.
    """
    random = np.random.default_rng([seed, epoch, zlib.crc32(sample_id.encode())])
    flip_draw, rotate_draw, angle_draw, scale_draw = random.random(), random.random(), random.normal(), random.random()
    mirrored = bool(flip_draw < augment.flip)
    angle_deg = augment.rotate_deg * np.clip(angle_draw, -2, 2) if rotate_draw < augment.rotate_share else 0.0
    least, most = augment.scale
    change = _about_centre(size, least + (most - least) * scale_draw, np.deg2rad(angle_deg), mirrored)
    base = letterbox(crop_hw, size)
    linear = change[:, :2] @ base[:, :2]
    return Placement(np.column_stack([linear, transform_points(change, base[:, 2])]), size, mirrored)


def _about_centre(size: tuple[int, int], scale: float, angle: float, mirrored: bool) -> np.ndarray:
    """(2, 3) map of input pixels: mirrored at the middle column, then scaled and turned about the centre."""
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    return np.column_stack([linear, centre - linear @ centre])


def warp_image(image: np.ndarray, placement: Placement, fill: tuple[int, int, int]) -> np.ndarray:
    """(H, W, 3) uint8 -> (*size, 3) uint8, bilinear, `fill` outside the image."""
    height, width = placement.size
    return cv2.warpAffine(image, placement.to_input, (width, height), flags=cv2.INTER_LINEAR, borderValue=fill)


def warp_mask(mask: np.ndarray, placement: Placement, label_set: LabelSet) -> np.ndarray:
    """(H, W) uint8 -> (*size) uint8, nearest, 255 outside the image; left and right classes swapped when mirrored."""
    height, width = placement.size
    warped = cv2.warpAffine(mask, placement.to_input, (width, height), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
    return label_set.hflip_lut[warped] if placement.mirrored else warped


def warp_keypoints(keypoints: np.ndarray, placement: Placement, keypoint_set: KeypointSet) -> np.ndarray:
    """(K, 3) float32 -> (K, 3) float32 in input pixels; unlabelled (0, 0, 0) when they fall outside the input.

    Joints trade places with their counterparts when mirrored.
    """
    if placement.mirrored:
        keypoints = keypoints[keypoint_set.hflip_index]
    points = transform_points(placement.to_input, keypoints[:, :2])
    height, width = placement.size
    inside = ((points > -0.5) & (points < [width - 0.5, height - 0.5])).all(axis=1)
    kept = np.where(inside & (keypoints[:, 2] > 0), keypoints[:, 2], 0)
    return np.column_stack([np.where(kept[:, None] > 0, points, 0), kept]).astype(np.float32)
