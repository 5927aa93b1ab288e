"""A picture of a photo's people: parts in their colours, outlines, joints, and who is who."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.overlay import overlay_keypoints, overlay_mask
from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.photos.people import Person, part_map

LEAST_CONFIDENCE = 0.2
"""Joints of lower confidence are not drawn."""

_SHORTEST = 640
"""Pixels that the longer side of a picture has at least, so that joints of small photos can be told apart."""


def draw_people(
    image: np.ndarray, people: Sequence[Person], label_set: LabelSet, keypoint_set: KeypointSet
) -> np.ndarray:
    """(s H, s W, 3) uint8 RGB; small photos are enlarged by a whole number s.

    Args:
        image: (H, W, 3) uint8 RGB.
        people: of this photo.
        label_set, keypoint_set: what their parts and joints are.
    """
    scale = max(1, -(-_SHORTEST // max(image.shape[:2])))
    large = image if scale == 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    picture = overlay_mask(large, _enlarged(part_map(people, image.shape[:2]), scale), label_set)
    line = max(1, round(max(picture.shape[:2]) / 600))
    for person in people:
        outline = _enlarged(person.mask.astype(np.uint8), scale)
        contours, _ = cv2.findContours(outline, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, contours, -1, (255, 255, 255), line, cv2.LINE_AA)
    for person in people:
        picture = _with_joints(picture, person, keypoint_set, scale, line)
    taken: list[tuple[int, int]] = []
    for person in people:
        taken.append(_label(picture, person, scale, line, taken))
    return picture


def _enlarged(ids: np.ndarray, scale: int) -> np.ndarray:
    return ids if scale == 1 else np.kron(ids, np.ones((scale, scale), ids.dtype))


def _with_joints(picture: np.ndarray, person: Person, keypoint_set: KeypointSet, scale: int, line: int) -> np.ndarray:
    """The skeleton; its points are drawn at the scale of the picture."""
    joints = person.keypoints.copy()
    joints[:, :2] = scale * (joints[:, :2] + 0.5) - 0.5
    joints[:, 2] = np.where(joints[:, 2] >= LEAST_CONFIDENCE, 2, 0)
    return overlay_keypoints(picture, joints, keypoint_set, thickness=line + 1)


def _label(
    picture: np.ndarray, person: Person, scale: int, line: int, taken: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """The person's id and score at the upper left corner of the box, below labels that are there; gives its place."""
    text, font = f"{person.id}  {person.score:.2f}", cv2.FONT_HERSHEY_SIMPLEX
    size = 0.45 * line
    (width, above), below = cv2.getTextSize(text, font, size, line)
    width, height = width + 4, above + below + 2
    x, y = (round(scale * float(value)) for value in person.box[:2])
    x, y = max(0, min(x, picture.shape[1] - width)), max(y, height)
    while any(abs(x - left) < width and abs(y - bottom) < height for left, bottom in taken):
        y += height
    cv2.rectangle(picture, (x, y - height), (x + width, y), (20, 20, 20), -1)
    cv2.putText(picture, text, (x + 2, y - below), font, size, (255, 255, 255), line, cv2.LINE_AA)
    return x, y
