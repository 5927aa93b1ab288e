"""Person crops and heatmaps as the pose network is trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.geometry.affine import transform_points
from pipeline.geometry.crop import Window, window_of_box
from pipeline.pose.architectures import PoseChoice
from pipeline.pose.crops import crop_matrix, warp_crop
from pipeline.pose.decoding import CellAt, input_to_cells
from pipeline.records import ImageRecord
from pipeline.taxonomy import KeypointSet
from trainer.teachers.augment import vary_colour
from trainer.teachers.source import read_people


@dataclass(frozen=True)
class PoseViews:
    """How a person is seen in training; half of them mirrored.

    Attributes:
        shift: most that the box is moved by, as a share of its sides.
        side_factor: least and greatest factor on each side of the box.
        scale: deviation of a factor on both sides, cut at once that.
        angle_deg: deviation of the turn, cut at twice that.
        rotated_share: of views that are turned at all.
        blacked_share: of views without the pixels of others.
        cut_share: of views that are black outside the person's crop, whose margin is cut_margin at random.
        truncated_share: of these, crops that end before the person does.
    """

    shift: float = 0.08
    side_factor: tuple[float, float] = (0.85, 1.25)
    scale: float = 0.0
    angle_deg: float = 20.0
    rotated_share: float = 0.6
    blacked_share: float = 0.4
    cut_share: float = 0.6
    cut_margin: tuple[float, float] = (0.0, 0.3)
    truncated_share: float = 0.3


SMALL_VIEWS = PoseViews()
PUBLISHED_VIEWS = PoseViews(scale=0.3, angle_deg=40.0)
"""Turned and scaled as in the training of the published Simple Baselines."""


@dataclass(frozen=True, eq=False)
class PoseSample:
    """One training crop.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        heatmaps: (K, h, w) float32.
        weights: (K,) float32, 1 where the joint is annotated and in view.
    """

    image: np.ndarray
    heatmaps: np.ndarray
    weights: np.ndarray


def people_with_joints(records: Sequence[ImageRecord]) -> np.ndarray:
    """(N, 2) int64 record and row of everybody who has an annotated joint and a box with an area, crowds left out."""
    found = [np.zeros((0, 2), np.int64)]
    for index, people in enumerate(read_people(records)):
        if people.keypoints is None:
            continue
        usable = (people.keypoints[..., 2] > 0).any(axis=1) & ~people.crowd & (people.boxes[:, 2:] > 0).all(axis=1)
        rows = np.flatnonzero(usable)
        found.append(np.stack([np.full(len(rows), index), rows], axis=1))
    return np.concatenate(found)


def draw_pose_sample(
    record: ImageRecord,
    row: int,
    choice: PoseChoice,
    keypoints: KeypointSet,
    views: PoseViews,
    rng: np.random.Generator,
) -> PoseSample:
    """A random view of one person: box jittered, turned, mirrored, other colours, at times the others blacked out.

    The crop stage cuts people out of their image, and can black out the pixels of others, so the network has to know
    crops without surroundings and with black ones.

    Args:
        choice: the network that it is for.
        keypoints: the set of the record's joints, which is the network's.
    """
    people = record.people
    image = record.decode_image()
    if rng.random() < views.blacked_share:
        image = _without_others(image, record, row)
    box = people.boxes[row].astype(np.float64)
    if people.keypoints is None:
        raise ValueError(f"record: {record.sample_id} has no joints, expected one of `people_with_joints`")
    joints = people.keypoints[row].astype(np.float64)
    if rng.random() < views.cut_share:
        if rng.random() < views.truncated_share:
            box = _truncated(box, rng)
        window = window_of_box(box, (record.height, record.width), rng.uniform(*views.cut_margin))
        image = _cut_out(image, window)
        joints = joints * _inside(joints, window)[:, None]
    x, y, w, h = box
    low, high = np.log(views.side_factor)
    factor_w, factor_h = np.exp(rng.uniform(low, high, 2))
    centre = np.array([x + w / 2, y + h / 2]) + rng.uniform(-views.shift, views.shift, 2) * (w, h)
    box = np.array([*(centre - (w * factor_w / 2, h * factor_h / 2)), w * factor_w, h * factor_h])
    angle = float(np.clip(rng.normal(0, views.angle_deg), -2 * views.angle_deg, 2 * views.angle_deg))
    turned = rng.random() < views.rotated_share
    mirror = bool(rng.random() < 0.5)
    factor = float(np.clip(rng.normal(1, views.scale), 1 - views.scale, 1 + views.scale)) if views.scale else 1.0
    input_hw, options = choice.input.size, choice.options
    matrix = crop_matrix(box, input_hw, angle_deg=angle if turned else 0.0, scale=1 / factor, mirror=mirror)
    crop = vary_colour(warp_crop(image, matrix, input_hw), rng)
    if mirror:
        joints = joints[keypoints.hflip_index]
    points, known = transform_points(matrix, joints[:, :2]), joints[:, 2] > 0
    heatmaps, weights = draw_targets(points, known, input_hw, options.stride, options.sigma_cells, options.cell_at)
    return PoseSample(crop, heatmaps, weights)


def draw_targets(
    points: np.ndarray,
    known: np.ndarray,
    input_hw: tuple[int, int],
    stride: int,
    sigma_cells: float,
    cell_at: CellAt = "middle",
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussians around the joints, peak 1, exact to a part of a cell.

    Args:
        points: (K, 2) in input pixels.
        known: (K,) bool.
        cell_at: where in the input a cell lies.

    Returns:
        (K, h, w) float32, and (K,) float32 weights: 1 for known joints inside the input, whose maps alone count.
    """
    height, width = input_hw
    inside = (points >= -0.5).all(axis=1) & (points[:, 0] < width - 0.5) & (points[:, 1] < height - 0.5)
    weights = (known & inside).astype(np.float32)
    cells = input_to_cells(points, stride, cell_at)
    rows, columns = np.arange(height // stride), np.arange(width // stride)
    across = np.exp(-((columns - cells[:, :1]) ** 2) / (2 * sigma_cells**2))
    down = np.exp(-((rows - cells[:, 1:]) ** 2) / (2 * sigma_cells**2))
    maps = down[:, :, None] * across[:, None, :] * weights[:, None, None]
    return maps.astype(np.float32), weights


def _truncated(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The box without its lower part (two times in three), or without a part of one side."""
    x, y, w, h = box
    if rng.random() < 2 / 3:
        return np.array([x, y, w, h * rng.uniform(0.4, 0.9)])
    kept = rng.uniform(0.6, 0.9)
    return np.array([x + (w * (1 - kept) if rng.random() < 0.5 else 0), y, w * kept, h])


def _inside(joints: np.ndarray, window: Window) -> np.ndarray:
    """(K,) bool: the joint lies in the window."""
    x, y = joints[:, 0], joints[:, 1]
    return (x > window.x0 - 0.5) & (x < window.x1 - 0.5) & (y > window.y0 - 0.5) & (y < window.y1 - 0.5)


def _cut_out(image: np.ndarray, window: Window) -> np.ndarray:
    """The image black outside the window, as the network sees a person's crop."""
    cut = np.zeros_like(image)
    cut[window.y0 : window.y1, window.x0 : window.x1] = window.cut(image)
    return cut


def _without_others(image: np.ndarray, record: ImageRecord, row: int) -> np.ndarray:
    """The image with the pixels of other people black; those that are this person's as well stay."""
    people = record.people
    others = [other for other in range(len(people)) if other != row and people.rles[other] is not None]
    if not others or people.rles[row] is None:
        return image
    own = people.mask(row)
    changed = image.copy()
    for other in others:
        changed[people.mask(other) & ~own] = 0
    return changed
