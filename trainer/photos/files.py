"""A photo's people as files: maps of parts, people and part instances, a picture, and what COCO's JSON says of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.export.coco import PERSON
from pipeline.images import encode_jpeg, encode_palette_png, encode_png
from pipeline.rle import encode_rle
from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.photos.drawing import draw_people
from trainer.photos.people import Person, instances_of, part_map, person_map

PARTS, PEOPLE, INSTANCES, OVERLAYS = FOLDERS = ("parts", "people", "instances", "overlays")


def photo_files(
    name: str, image: np.ndarray, people: Sequence[Person], label_set: LabelSet, keypoint_set: KeypointSet
) -> dict[str, bytes]:
    """Relative path -> bytes of everything that is written of one photo.

    `instances/<name>.png` and `.txt` are of the form that CIHP's scorer reads: line n of the text, "class score", is the
    part instance whose pixels have the value n. The PNG has 16 bits where there are more than 255 of them.

    Args:
        name: of the photo.
        image: (H, W, 3) uint8 RGB.
        people: of this photo.
    """
    image_hw = image.shape[0], image.shape[1]
    found, scores = instances_of(people, image_hw)
    ids = found.ids if len(scores) > 255 else found.ids.astype(np.uint8)
    lines = [f"{part} {score!r}\n" for part, score in zip(found.classes, scores, strict=True)]
    return {
        f"{PARTS}/{name}.png": encode_palette_png(part_map(people, image_hw), label_set.palette),
        f"{PEOPLE}/{name}.png": encode_palette_png(person_map(people, image_hw), label_set.palette),
        f"{INSTANCES}/{name}.png": encode_png(ids),
        f"{INSTANCES}/{name}.txt": "".join(lines).encode(),
        f"{OVERLAYS}/{name}.jpg": encode_jpeg(draw_people(image, people, label_set, keypoint_set), quality=90),
    }


def coco_people(people: Sequence[Person], least_confidence: float) -> list[dict[str, Any]]:
    """COCO's annotations of a photo's people, without the ids of photo and annotation.

    Args:
        people: of this photo.
        least_confidence: joints of at least this one are counted in `num_keypoints`.
    """
    return [_annotation(person, least_confidence) for person in people]


def _annotation(person: Person, least_confidence: float) -> dict[str, Any]:
    rle = encode_rle(person.mask)
    return {
        "category_id": PERSON,
        "segmentation": rle,
        "bbox": _plain(person.box),
        "area": person.area,
        "iscrowd": 0,
        "score": person.score,
        "keypoints": _plain(person.keypoints.ravel()),
        "num_keypoints": int((person.keypoints[:, 2] >= least_confidence).sum()),
        "person": person.id,
        "found_bbox": _plain(person.found_box),
    }


def _plain(values: np.ndarray | Sequence[float]) -> list[float]:
    """Rounded to a thousandth, of a pixel or of a confidence's unit."""
    return [round(float(value), 3) for value in values]
