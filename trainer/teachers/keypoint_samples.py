"""Images and the joints of people as a Keypoint R-CNN is trained on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.geometry.affine import transform_points
from pipeline.records import ImageRecord
from pipeline.taxonomy import KeypointSet
from pipeline.teacher_file import InputSpec
from trainer.teachers.augment import vary_colour
from trainer.teachers.detector_samples import person_region
from trainer.teachers.views import ImageViews, is_mirrored


@dataclass(frozen=True, eq=False)
class KeypointSample:
    """One training image.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) float32 x1, y1, x2, y2 as areas: x2 and y2 are the far ends of the last column and row.
        keypoints: (N, K, 3) float32 x, y, v in pixels of the image; v is 0 out of view.
    """

    image: np.ndarray
    boxes: np.ndarray
    keypoints: np.ndarray


def draw_keypoint_sample(
    record: ImageRecord,
    rows: np.ndarray,
    spec: InputSpec,
    joints: KeypointSet,
    views: ImageViews,
    rng: np.random.Generator,
) -> KeypointSample:
    """A random view of a record.

    Crowds and people without annotated joints are painted in the network's mean colour, where they are not behind
    others: nobody can learn from them.

    Args:
        rows: the people to learn from, with a joint and a box.
        joints: the set of the record's joints.
    """
    people = record.people
    if people.keypoints is None:
        raise ValueError(f"record: {record.sample_id} has no joints, expected one of `people_with_joints`")
    fill = [round(255 * value) for value in spec.mean]
    image = record.decode_image()
    others = np.setdiff1d(np.arange(len(people)), rows)
    hidden = _covered(record, others) & ~_covered(record, rows)
    matrix, (height, width) = views.draw(image.shape[:2], spec.size, rng)
    view = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=fill)
    view = vary_colour(view, rng)
    seen = cv2.warpAffine((~hidden).astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    view[seen == 0] = fill
    corners = people.boxes[rows].astype(np.float64)
    corners[:, 2:] += corners[:, :2]
    boxes = transform_points(matrix, corners.reshape(-1, 2, 2) - 0.5) + 0.5  # areas begin half a pixel before centres
    boxes = np.concatenate([boxes.min(axis=1), boxes.max(axis=1)], axis=1).clip(0, [width, height, width, height])
    keypoints = people.keypoints[rows].astype(np.float64)
    keypoints[..., :2] = transform_points(matrix, keypoints[..., :2])
    if is_mirrored(matrix):
        keypoints = keypoints[:, joints.hflip_index]
    inside = (keypoints[..., :2] > -0.5).all(axis=2) & (keypoints[..., :2] < [width - 0.5, height - 0.5]).all(axis=2)
    keypoints[..., 2] *= inside
    kept = (boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1)
    return KeypointSample(view, boxes[kept].astype(np.float32), keypoints[kept].astype(np.float32))


def _covered(record: ImageRecord, rows: np.ndarray) -> np.ndarray:
    """(H, W) bool: a pixel of one of these people, or of the box where no mask is known."""
    covered = np.zeros((record.height, record.width), bool)
    for row in rows:
        covered |= person_region(record, int(row)) > 0
    return covered
