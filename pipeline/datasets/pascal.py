"""PASCAL-Person-Part: several people in an image, 6 part classes, 14 joints and a box of each person, no person ids.

Quirks that end here: the images are those of VOC; the masks are palette PNGs whose indices are the ids; PersonJoints/<id>.mat
holds boxes as first and last pixel and joints with a flag that says only whether they are annotated; some images have no file.
People are told apart by the detector's masks, at crop.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from pipeline.datasets.items import Annotation
from pipeline.datasets.labels import Labels, plain_labels
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import read_ids, read_text
from pipeline.datasets.mat_files import as_numbers, read_mat
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import LabelSet

NUM_JOINTS = 14
_MASKS = ("pascal_person_part_gt", "SegmentationPart")
_HINT = "Place pascal_person_part.zip and VOC's images (the tree with JPEGImages, as a zip or unpacked) there"


def pascal_items(archives: Archives, split: str, _: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its list; `label_files` holds the file of joints where there is one.

    Raises:
        DataError: a list is missing, or names an image or a mask that is.
    """
    images, joints = archives.folder_files("JPEGImages"), archives.folder_files("PersonJoints")
    masks = next((files for name in _MASKS if (files := archives.folder_files(name))), {})
    ids, list_file = _ids(archives, split)
    items = []
    for sample_id in ids:
        for kind, files in (("JPEGImages", images), (_MASKS[0], masks)):
            if sample_id not in files:
                raise DataError(f"{list_file.name}: names {sample_id!r}, but {kind} lacks it. {_HINT}")
        files_of_joints = (joints[sample_id],) if sample_id in joints else ()
        image, mask = images[sample_id], masks[sample_id]
        items.append(SourceItem(sample_id, image, mask, label_files=files_of_joints, hidden_untold=True))
    return items


def _ids(archives: Archives, split: str) -> tuple[list[str], Member]:
    """The list of bare ids, or that of path pairs, whose first path is the image's."""
    file = archives.find(f"{split}_id.txt")
    if file is not None:
        return read_ids(archives, file), file
    file = archives.require(f"pascal_person_part_trainval_list/{split}.txt", _HINT)
    lines = [line.split() for line in read_text(archives, file).splitlines() if line.strip()]
    ids = [fields[0].rsplit("/", 1)[-1].removesuffix(".jpg") for fields in lines]
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise DataError(f"{file.name}: {twice!r} stands there twice. Remove one of the lines")
    return ids, file


def pascal_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """The part mask, and people of whom the box and the joints are known.

    Raises:
        DataError: a file cannot be read or holds something else.
    """
    people = tuple(one for file in item.label_files for one in parse_joints(archives.read(file), file.name))
    return plain_labels(archives, dataclasses.replace(item, annotations=people), image_hw, label_set)


def parse_joints(data: bytes, name: str) -> list[Annotation]:
    """The people of a PersonJoints file: box, 14 joints with v 2 where annotated and 0, 0, 0 where not.

    Raises:
        DataError: the file is damaged, or boxes and joints do not fit together.
    """
    content = read_mat(data, name)
    cells: dict[str, list[Any]] = {}
    for key in ("boxes", "joints"):
        if key not in content or content[key].dtype != object:
            raise DataError(f"{name}: has no cell array {key!r}, expected boxes and joints. Get the file again")
        cells[key] = list(content[key].ravel())
    if len(cells["boxes"]) != len(cells["joints"]):
        raise DataError(
            f"{name}: {len(cells['boxes'])} boxes for {len(cells['joints'])} people's joints. Get the file again"
        )
    people = []
    for box, joints in zip(cells["boxes"], cells["joints"], strict=True):
        x1, y1, x2, y2 = as_numbers(box, (4,), name, "a box")
        points = as_numbers(joints, (NUM_JOINTS, 3), name, "joints")
        known = points[:, 2:] != 0
        flat = np.where(known, np.column_stack([points[:, :2], np.full(NUM_JOINTS, 2.0)]), 0.0).ravel()
        size = (float(x2 - x1 + 1), float(y2 - y1 + 1))
        people.append(Annotation((float(x1), float(y1), *size), keypoints=tuple(map(float, flat))))
    return people


PASCAL = Layout("pascal", ("train", "val"), pascal_items, {"train": 1716, "val": 1817}, ("pascal14",), pascal_labels)
