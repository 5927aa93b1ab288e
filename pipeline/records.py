"""The few central types: the people of an image, the record of an image, the sample of a person.

Boxes are (x, y, w, h) in pixels and cover the pixel columns x ... x + w - 1. Keypoints are (x, y, v): a pixel's centre
is at its integer coordinate, v is 0 not annotated, 1 occluded, 2 visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.images import decode_image, decode_map
from pipeline.rle import Rle, decode_rle, encode_rle


@dataclass(frozen=True, eq=False)
class People:
    """The people of one image, row by row; N may be 0.

    Attributes:
        ids: (N,) int32, the person's value in the person-id map; unique, from 1.
        boxes: (N, 4) float32, x, y, w, h.
        scores: (N,) float32, 1 for annotated people.
        crowd: (N,) bool, a region of people who are not told apart.
        rles: masks as RLE over the whole image; an entry is None where only the box is known.
        keypoints: (N, K, 3) float32, or None where the data set has none; a row of zeros is a person without any.
    """

    ids: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    crowd: np.ndarray
    rles: tuple[Rle | None, ...]
    keypoints: np.ndarray | None = None

    def __post_init__(self) -> None:
        count = len(self.ids)
        shapes = {"boxes": (count, 4), "scores": (count,), "crowd": (count,)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name}: shape {getattr(self, name).shape}, expected {shape}")
        if len(self.rles) != count:
            raise ValueError(f"rles: {len(self.rles)} masks for {count} people")
        if self.keypoints is not None and (self.keypoints.ndim != 3 or len(self.keypoints) != count):
            raise ValueError(f"keypoints: shape {self.keypoints.shape}, expected ({count}, K, 3)")

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def empty(cls, num_keypoints: int | None = None) -> People:
        """Nobody."""
        return cls.build([], [], num_keypoints=num_keypoints)

    @classmethod
    def build(
        cls,
        ids: Any,
        boxes: Any,
        *,
        scores: Any = None,
        crowd: Any = None,
        rles: Any = None,
        keypoints: Any = None,
        num_keypoints: int | None = None,
    ) -> People:
        """People from lists: scores default to 1, crowd to False, masks to unknown, keypoints to none."""
        count = len(ids)
        if keypoints is None and num_keypoints is not None:
            keypoints = np.zeros((count, num_keypoints, 3), np.float32)
        elif keypoints is not None:
            keypoints = np.asarray(keypoints, np.float32)
        return cls(
            ids=np.asarray(ids, np.int32).reshape(count),
            boxes=np.asarray(boxes, np.float32).reshape(count, 4),
            scores=np.ones(count, np.float32) if scores is None else np.asarray(scores, np.float32).reshape(count),
            crowd=np.zeros(count, bool) if crowd is None else np.asarray(crowd, bool).reshape(count),
            rles=(None,) * count if rles is None else tuple(rles),
            keypoints=keypoints,
        )

    @classmethod
    def from_id_map(cls, people: np.ndarray) -> People:
        """The people of a person-id map (H, W) uint8: tight boxes and masks, ids in rising order."""
        ids = [int(value) for value in np.unique(people) if value != 0]
        rles = [encode_rle(people == value) for value in ids]
        return cls.build(ids, [coco_mask.toBbox(rle) for rle in rles], rles=rles)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) bool mask of person number `index`.

        Raises:
            ValueError: only the box of this person is known.
        """
        rle = self.rles[index]
        if rle is None:
            raise ValueError(f"index: person {index} has no mask, only a box")
        return decode_rle(rle)


@dataclass(frozen=True, eq=False)
class ImageRecord:
    """One image of a data set as its archive has it.

    Attributes:
        sample_id: the image's name in its data set; may hold dots and underscores, nothing splits on it.
        image: the image file's bytes as they came.
        path: where in the archive they lay.
        mask: PNG of (H, W) part ids, or None for unlabelled images.
        people_map: PNG of (H, W) person ids, or None.
        people: annotated people.
    """

    sample_id: str
    dataset: str
    split: str
    image: bytes
    path: str
    width: int
    height: int
    mask: bytes | None
    people_map: bytes | None
    people: People

    def decode_image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return decode_image(self.image, self.path)

    def decode_mask(self) -> np.ndarray | None:
        """(H, W) uint8 part ids, or None."""
        return None if self.mask is None else decode_map(self.mask, f"mask of {self.path}")

    def decode_people(self) -> np.ndarray | None:
        """(H, W) uint8 person ids, or None."""
        return None if self.people_map is None else decode_map(self.people_map, f"person ids of {self.path}")

    def person_ids(self) -> np.ndarray | None:
        """(H, W) uint8 ids of the annotated people: their map, or one drawn from their masks, the smaller ones on top.

        None where neither is known. Crowds are nobody.
        """
        people = self.people
        rows = [row for row in range(len(people)) if people.rles[row] is not None and not people.crowd[row]]
        if self.people_map is not None or not rows:
            return self.decode_people()
        ids = np.zeros((self.height, self.width), np.uint8)
        areas = {row: int(coco_mask.area(people.rles[row])) for row in rows}
        for row in sorted(rows, key=lambda row: -areas[row]):
            ids[people.mask(row)] = people.ids[row]
        return ids


@dataclass(frozen=True, eq=False)
class Sample:
    """One person, cut out at native resolution, with all labels that the stages before have made.

    Attributes:
        sample_id: unique in its data set.
        source_id: sample_id of the image that it was cut from.
        image: the crop's JPEG or PNG bytes; path: its name in the source.
        mask: PNG of (H, W) part ids; people_map: PNG of person ids; edge: PNG of {0, 1}. None where not known.
        keypoints: (K, 3) float32 in crop pixels, K of the data set's (or the teacher's) keypoint set; None before pose.
        keypoint_origin: per keypoint "annotated", the teacher's id, or "" where there is none.
        keypoint_confidence: (K,) float32.
        box: (4,) float32, the person's box in the source image.
        score: the detector's score, 1 for annotated people.
        to_source: (2, 3) float64, crop pixels -> source pixels.
        to_heatmap_input: (2, 3) float64, crop pixels -> heatmap input pixels; None before heatmaps.
        person: the person's id in the source image.
        provenance: hashes of the inputs and versions of the steps.
    """

    sample_id: str
    source_id: str
    dataset: str
    split: str
    image: bytes
    path: str
    width: int
    height: int
    mask: bytes | None
    people_map: bytes | None
    box: np.ndarray
    score: float
    to_source: np.ndarray
    person: int
    edge: bytes | None = None
    keypoints: np.ndarray | None = None
    keypoint_origin: tuple[str, ...] = ()
    keypoint_confidence: np.ndarray | None = None
    to_heatmap_input: np.ndarray | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def decode_image(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        return decode_image(self.image, self.path)

    def decode_mask(self) -> np.ndarray | None:
        """(H, W) uint8 part ids, or None."""
        return None if self.mask is None else decode_map(self.mask, f"mask of {self.sample_id}")

    def decode_people(self) -> np.ndarray | None:
        """(H, W) uint8 person ids, or None."""
        return None if self.people_map is None else decode_map(self.people_map, f"person ids of {self.sample_id}")

    def decode_edge(self) -> np.ndarray | None:
        """(H, W) uint8 of {0, 1}, or None."""
        return None if self.edge is None else decode_map(self.edge, f"edges of {self.sample_id}")
