"""COCO 2017: people's polygons (RLE for crowds) and 17 keypoints, in JSON beside archives of images."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Any

from pipeline.datasets.layout import PLAIN, Annotation, Layout, ReaderOptions, SourceItem
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member

NUM_KEYPOINTS = 17
_FARTHEST = 1e6
"""Pixels beyond which a coordinate is none."""
_HINT = "Place COCO's train2017.zip, val2017.zip and annotations_trainval2017.zip there"


def coco_items(archives: Archives, split: str, _: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """Every image that the split's JSON lists, also those without people, in the JSON's order.

    person_keypoints_*.json has all people, with joints; instances_*.json serves where it alone is there, without.

    Raises:
        DataError: the JSON is malformed or names a file that is missing.
    """
    table = archives.find(f"person_keypoints_{split}2017.json") or archives.find(f"instances_{split}2017.json")
    if table is None:
        table = archives.require(f"person_keypoints_{split}2017.json", _HINT)
    images = archives.folder_files(f"{split}2017")
    content = read_table(archives, table)
    people: dict[int, list[Annotation]] = defaultdict(list)
    try:
        person_ids = {category["id"] for category in content["categories"] if category["name"] == "person"}
        if not person_ids:
            raise DataError(f"{table.name}: has no category named 'person'. Name it so")
        for annotation in content["annotations"]:
            if annotation["category_id"] in person_ids:
                people[annotation["image_id"]].append(parse_annotation(annotation, table.name, NUM_KEYPOINTS))
        listed = [
            (image["id"], PurePosixPath(image["file_name"]), (int(image["height"]), int(image["width"])))
            for image in content["images"]
        ]
        unlisted = set(people) - {image_id for image_id, _, _ in listed}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{table.name}: not COCO's form, {error!r} is missing or of another type. Get it again"
        ) from error
    if unlisted:
        raise DataError(
            f"{table.name}: has people of image {min(map(str, unlisted))}, which its list of images lacks. Get it again"
        )
    items, seen = [], set()
    for image_id, file_name, image_hw in listed:
        if file_name.stem in seen:
            raise DataError(f"{table.name}: {file_name} stands there twice. Remove one of them")
        seen.add(file_name.stem)
        if file_name.stem not in images:
            raise DataError(f"{table.name}: names {file_name}, but {split}2017 lacks it. {_HINT}")
        annotations = tuple(people[image_id])
        items.append(SourceItem(file_name.stem, images[file_name.stem], annotations=annotations, image_hw=image_hw))
    return items


def read_table(archives: Archives, table: Member) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        DataError: it holds something else, or cannot be read.
    """
    try:
        content = json.loads(archives.read(table))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{table.name}: no readable JSON ({error}). Get the archive again") from error
    if not isinstance(content, dict):
        raise DataError(f"{table.name}: holds {type(content).__name__}, expected COCO's images and annotations")
    return content


def parse_annotation(annotation: dict[str, Any], name: str, num_keypoints: int) -> Annotation:
    """A person of a COCO table; joints that it does not give are not annotated.

    Args:
        annotation: as the table has it.
        name: the table's, for errors.
        num_keypoints: joints of a person; 0 reads none.

    Raises:
        DataError: box or joints are not that many numbers.
    """
    keypoints = (annotation.get("keypoints") or [0] * (3 * num_keypoints)) if num_keypoints else []
    box = annotation["bbox"]
    numbers = [*box, *keypoints]
    if len(box) != 4 or len(keypoints) != 3 * num_keypoints or not all(map(_is_number, numbers)):
        raise DataError(
            f"{name}, annotation {annotation.get('id')}: expected a bbox of 4 numbers and {3 * num_keypoints} of keypoints, "
            f"found {len(box)} and {len(keypoints)}. Mend the annotation"
        )
    return Annotation(
        box=tuple(float(value) for value in box),
        crowd=bool(annotation.get("iscrowd", 0)),
        segmentation=annotation.get("segmentation") or None,
        keypoints=tuple(float(value) for value in keypoints) if num_keypoints else None,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _FARTHEST


COCO = Layout("coco", ("train", "val"), coco_items, {"train": 118287, "val": 5000}, ("coco17",))
