"""labelme's shapes to a part mask and a person-id map."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.datasets.items import Annotation
from pipeline.datasets.labels import MOST_PEOPLE, Labels, annotated, whole_rle
from pipeline.errors import DataError, UnknownIds
from pipeline.images import decode_map, encode_png
from pipeline.records import People
from pipeline.rle import decode_rle, encode_rle
from pipeline.taxonomy import IGNORE, LabelSet, class_key

AREAS = ("polygon", "rectangle", "circle", "mask")
"""Kinds of shapes that have an inside."""

PERSON = "person"
OWN_LABELS = {"-background-": 0, "--ignore--": IGNORE}
"""labelme's `_background_` and `__ignore__`, as `class_key` spells them -> their ids."""


@dataclass(frozen=True, eq=False)
class _Shape:
    """One area.

    Attributes:
        part: the id that it paints; None where it paints none.
        whole: a whole person's outline.
        group: its group_id.
        pixels: (H, W) bool.
        where: names it in errors.
    """

    part: int | None
    whole: bool
    group: int | None
    pixels: np.ndarray
    where: str

    @property
    def nobody(self) -> bool:
        """Background, or ignored: of no person."""
        return self.part in OWN_LABELS.values()


def labels_of_shapes(
    shapes: Sequence[Any],
    annotations: tuple[Annotation, ...],
    image_hw: tuple[int, int],
    label_set: LabelSet,
    name: str,
) -> Labels:
    """The labels of a photo, painted shape by shape.

    Args:
        shapes: as the JSON has them.
        annotations: the photo's people where no shape tells them apart.
        image_hw: (height, width) of the photo.
        label_set: holds the labels.
        name: the file's, for errors.

    Raises:
        DataError: a shape is broken, has an unknown label, or lacks the group_id that others have.
    """
    areas = [
        _area(shape, image_hw, label_set, f"{name}, shape {number}")
        for number, shape in enumerate(shapes)
        if not isinstance(shape, dict) or shape.get("shape_type", "polygon") in AREAS
    ]
    mask = np.zeros(image_hw, np.uint8)
    for area in areas:
        if area.part is not None:
            mask[area.pixels] = area.part
    bodies = _bodies(areas, name)
    if not bodies:
        people = annotated(annotations, image_hw, name) if annotations else People.empty()
        nobody = label_set.name == PERSON and not annotations
        return Labels(encode_png(mask), encode_png(np.zeros(image_hw, np.uint8)) if nobody else None, people)
    ids = np.zeros(image_hw, np.uint8)
    painted = [(area, person) for person, own in bodies.items() for area in own]
    # As the mask is painted, but whole people first: their parts tell more.
    for area, person in sorted(painted, key=lambda one: (not one[0].whole, areas.index(one[0]))):
        ids[area.pixels] = person
    rles = [encode_rle(np.logical_or.reduce([area.pixels for area in own])) for own in bodies.values()]
    people = People.build(list(bodies), [coco_mask.toBbox(rle) for rle in rles], rles=rles)
    return Labels(encode_png(mask), encode_png(ids), people)


def _bodies(areas: Sequence[_Shape], name: str) -> dict[int, list[_Shape]]:
    """Person id -> the person's shapes; a whole person's outline without group_id is a person of its own."""
    owned = [area for area in areas if not area.nobody]
    parts = [area for area in owned if not area.whole]
    alone = next((area for area in parts if area.group is None), None)
    if alone is not None and any(area.group is not None for area in parts):
        raise DataError(
            f"{alone.where}: has no group_id, others have one. Give every part its person's group_id, or none"
        )
    groups = sorted({area.group for area in owned if area.group is not None})
    as_they_are = all(1 <= group <= MOST_PEOPLE for group in groups)
    bodies: dict[int, list[_Shape]] = {
        group if as_they_are else place: [area for area in owned if area.group == group]
        for place, group in enumerate(groups, start=1)
    }
    for area in owned:
        if area.whole and area.group is None:
            bodies[max(bodies, default=0) + 1] = [area]
    if max(bodies, default=0) > MOST_PEOPLE:
        raise DataError(
            f"{name}: {len(bodies)} people, at most {MOST_PEOPLE} fit into a map of ids. Leave the photo out"
        )
    return bodies


def _area(shape: Any, image_hw: tuple[int, int], label_set: LabelSet, where: str) -> _Shape:
    try:
        key, group = class_key(str(shape["label"])), shape.get("group_id")
        kind, points = shape.get("shape_type", "polygon"), np.asarray(shape["points"], np.float64).reshape(-1, 2)
        if not np.isfinite(points).all() or not (group is None or isinstance(group, int)):
            raise ValueError("a point or the group_id is no number")
        pixels = _pixels(kind, points, shape, image_hw, where)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, binascii.Error) as error:
        raise DataError(f"{where}: not labelme's form ({error}). Mend it in labelme") from error
    whole = key == PERSON and (label_set.name == PERSON or PERSON not in label_set.part_names)
    return _Shape(_part(key, label_set, where), whole, group, pixels, where)


def _part(key: str, label_set: LabelSet, where: str) -> int | None:
    parts = OWN_LABELS | {class_key(part): place for place, part in enumerate(label_set.part_names)}
    if key not in parts and key != PERSON:
        raise UnknownIds(
            f"{where}: label {key!r} is none of label set {label_set.name!r} ({', '.join(label_set.part_names)}), nor `person`. "
            "Rename it, or add the class"
        )
    return parts.get(key)


def _pixels(kind: str, points: np.ndarray, shape: dict[str, Any], image_hw: tuple[int, int], where: str) -> np.ndarray:
    """(H, W) bool inside of a shape; points are (x, y), pixel 0, 0 reaching from 0 to 1."""
    if kind == "mask":
        return _placed(decode_map(base64.b64decode(shape["mask"]), where) > 0, points, image_hw)
    if kind == "circle":
        (x, y), edge = points
        rows, columns = np.mgrid[: image_hw[0], : image_hw[1]] + 0.5
        inside: np.ndarray = (columns - x) ** 2 + (rows - y) ** 2 <= ((edge - (x, y)) ** 2).sum()
        return inside
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    if len(points) < 3:
        raise ValueError(f"{len(points)} points, a polygon has 3 or more")
    return decode_rle(whole_rle([points.ravel().tolist()], image_hw, where))


def _placed(piece: np.ndarray, points: np.ndarray, image_hw: tuple[int, int]) -> np.ndarray:
    """A mask of a box put where its upper left corner is, cut to the image."""
    x, y = (int(value) for value in np.rint(points.min(axis=0)))
    whole = np.zeros(image_hw, bool)
    target = whole[max(y, 0) : max(y + piece.shape[0], 0), max(x, 0) : max(x + piece.shape[1], 0)]
    target[:] = piece[max(-y, 0) :, max(-x, 0) :][: target.shape[0], : target.shape[1]]
    return whole
