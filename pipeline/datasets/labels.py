"""The labels of an item: its part mask, its person-id map and its people, checked against the image.

`plain_labels` reads id maps and annotations as they are; a layout with another form of labels has its own such function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.datasets.items import Annotation, SourceItem
from pipeline.errors import DataError, SizesDiffer, UnknownIds
from pipeline.images import decode_map, encode_png, id_counts
from pipeline.records import People
from pipeline.rle import Rle, check_rle, decode_rle
from pipeline.sources.archives import Archives
from pipeline.taxonomy import IGNORE, LabelSet, voc_palette

MOST_PEOPLE = 254
"""Ids that fit into a map beside 0 and 255."""

_VOC_CLASSES = 21
_TOLD = 8
_FAR = 10
"""Times an image's height and width together, beyond which no outline leads."""
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of an image: PNG of part ids, PNG of person ids (None where unknown), its people.

    `contradictions` says in words what the source's own maps say against each other.
    """

    mask: bytes | None
    people_map: bytes | None
    people: People
    contradictions: tuple[str, ...] = ()


def plain_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """The labels of an item whose mask and person ids are maps of ids, or that has a list of people.

    Raises:
        DataError: a file cannot be read, sizes differ, or a label is unknown.
    """
    mask = people_map = None
    if item.mask is not None:
        mask = archives.read(item.mask)
        check_mask(decode_map(mask, item.mask.name), image_hw, item.mask.name, label_set)
    people = None
    if item.people_map is not None:
        people_map = archives.read(item.people_map)
        ids = decode_map(people_map, item.people_map.name)
        check_size(ids, image_hw, item.people_map.name)
        people = People.from_id_map(ids)
    elif item.annotations:
        people = annotated(item.annotations, image_hw, item.image.name)
        if mask is None and any(rle is not None for rle in people.rles):
            mask, people_map = person_maps(people, image_hw, item.image.name)
    elif item.mask is None and label_set.name == "person":
        mask = people_map = encode_png(np.zeros(image_hw, np.uint8))
    return Labels(mask, people_map, people if people is not None else People.empty())


def check_size(array: np.ndarray, image_hw: tuple[int, int], name: str) -> None:
    """Refuse a map of another size than its image.

    Raises:
        SizesDiffer: height or width differ.
    """
    if array.shape != image_hw:
        raise SizesDiffer(
            f"{name} is {array.shape[1]}x{array.shape[0]}, its image is {image_hw[1]}x{image_hw[0]}. Export one of them again"
        )


def check_mask(mask: np.ndarray, image_hw: tuple[int, int], name: str, label_set: LabelSet) -> None:
    """Refuse a mask of another size than its image, or with an id that is neither of `label_set` nor 255.

    Raises:
        SizesDiffer, UnknownIds: it is such a mask.
    """
    check_size(mask, image_hw, name)
    counts = id_counts(mask)
    unknown = [int(value) for value in np.flatnonzero(counts) if value >= len(label_set) and value != IGNORE]
    told = ", ".join(f"{value}: {counts[value]}" for value in unknown[:_TOLD]) + (", ..." if unknown[_TOLD:] else "")
    if unknown and set(unknown) <= _palette_greys(label_set):
        raise UnknownIds(
            f"{name} holds the values {unknown}: the grey of PASCAL VOC's colours, not ids. Two kinds of such masks go "
            f"about: PNGs with a colour table, whose indices are the ids, and grey PNGs whose values are the ids 0 to "
            f"{len(label_set) - 1}. This one was made grey from the first kind. Take the PNGs as they were published"
        )
    if unknown:
        raise UnknownIds(
            f"{name} holds the ids {unknown}, label set {label_set.name!r} has 0 to {len(label_set) - 1} and {IGNORE}; "
            f"pixels of each: {told}. Choose the right label set or export the mask as class ids"
        )


def _palette_greys(label_set: LabelSet) -> set[int]:
    """What the colours of the set's ids in VOC's table become when a tool makes them grey."""
    if len(label_set) > _VOC_CLASSES:  # so many greys that ids of another set are among them by chance
        return set()
    greys = voc_palette(len(label_set)).astype(np.float64) @ np.array(_LUMA)
    return {int(value) for value in np.rint(greys)} | {int(value) for value in greys}


def annotated(annotations: Sequence[Annotation], image_hw: tuple[int, int], name: str) -> People:
    """People from a source's lists; ids count from 1 in the order of the lists.

    Raises:
        DataError: a segmentation is broken or of another size than the image.
    """
    height, width = image_hw
    rles = [
        None if annotation.segmentation is None else whole_rle(annotation.segmentation, image_hw, name)
        for annotation in annotations
    ]
    keypoints = None
    if all(annotation.keypoints is not None for annotation in annotations):
        keypoints = [np.asarray(annotation.keypoints, np.float32).reshape(-1, 3) for annotation in annotations]
    return People.build(
        range(1, len(annotations) + 1),
        [annotation.box or (0, 0, width, height) for annotation in annotations],
        crowd=[annotation.crowd for annotation in annotations],
        rles=rles,
        keypoints=keypoints,
    )


def whole_rle(segmentation: Any, image_hw: tuple[int, int], name: str) -> Rle:
    """Compressed RLE over the whole image, of COCO's polygons, counts or RLE.

    Raises:
        DataError: it is none of these, or of another size than the image.
    """
    height, width = image_hw
    try:
        if isinstance(segmentation, dict):
            rle = segmentation
            if isinstance(rle["counts"], list | tuple):
                rle = coco_mask.frPyObjects({"size": list(rle["size"]), "counts": list(rle["counts"])}, height, width)
            check_rle(rle)
        else:
            rings = [[float(value) for value in ring] for ring in segmentation]
            far = _FAR * (height + width)
            beyond = next((value for ring in rings for value in ring if not abs(value) <= far), None)
            if beyond is not None:  # pycocotools steps through every pixel of an outline, however far it goes
                raise ValueError(f"a coordinate of {beyond:g} in an image of {width}x{height}")
            odd = next((len(ring) for ring in rings if len(ring) < 6 or len(ring) % 2), None)
            if odd is not None:  # pycocotools takes four numbers for a box, and fewer for a bug
                raise ValueError(f"a ring of {odd} numbers, expected x, y of three points at least")
            rle = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))
    except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
        raise DataError(f"{name}: a segmentation is no polygon and no RLE ({error}). Mend the annotation") from error
    if list(rle["size"]) != [height, width]:
        raise SizesDiffer(f"{name}: a mask of {rle['size']}, the image is {[height, width]}. Mend the annotation")
    counts = rle["counts"]
    return {"size": [height, width], "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts}


def person_maps(people: People, image_hw: tuple[int, int], name: str) -> tuple[bytes, bytes]:
    """Label set "person" and person ids from the people's masks: where two overlap, the smaller one lies on top.

    Raises:
        DataError: more people than a map of ids holds.
    """
    if len(people) > MOST_PEOPLE:
        raise DataError(
            f"{name}: {len(people)} people, at most {MOST_PEOPLE} fit into a map of ids. Leave the image out"
        )
    mask, ids = np.zeros(image_hw, np.uint8), np.zeros(image_hw, np.uint8)
    pixels = [None if rle is None else decode_rle(rle) for rle in people.rles]
    order = sorted(
        range(len(people)), key=lambda i: (not people.crowd[i], 0 if (m := pixels[i]) is None else -int(m.sum()))
    )
    for index in order:
        region = pixels[index]
        if region is None:
            continue
        if people.crowd[index]:
            mask[region] = IGNORE
        else:
            mask[region], ids[region] = 1, people.ids[index]
    return encode_png(mask), encode_png(ids)
