"""CIHP: several people in an image, 19 part classes with torso-skin as id 10, person ids, no joints.

Three maps of an image tell each other: Category_ids the class, Human_ids the person, and Instance_ids, where it is there,
(person - 1) * 20 + class. Records hold the first two; the third is what they are checked by.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from pipeline.datasets.labels import Labels, check_size, plain_labels
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import read_ids
from pipeline.errors import DataError
from pipeline.images import decode_map
from pipeline.sources.archives import Archives
from pipeline.taxonomy import IGNORE, LabelSet

_FOLDERS = {"train": "Training", "val": "Validation", "test": "Testing"}
_HINT = "Place CIHP's instance-level_human_parsing archive there"
_CLASSES = 20
NOISE = 0.01
"""Share of the labelled pixels that may disagree: a pixel here and there is the annotators' hand, more is a mix-up."""


def cihp_items(archives: Archives, split: str, _: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its id list; `label_files` holds the map of part instances where there are any.

    Test images have no labels.

    Raises:
        DataError: the list names a file that is missing.
    """
    folder = _FOLDERS[split]
    list_file = archives.require(f"{folder}/{split}_id.txt", _HINT)
    kinds = {kind: archives.folder_files(f"{folder}/{kind}") for kind in ("Images", "Category_ids", "Human_ids")}
    instances = archives.folder_files(f"{folder}/Instance_ids")
    if instances:
        kinds["Instance_ids"] = instances
    items = []
    for sample_id in read_ids(archives, list_file):
        for kind, files in kinds.items():
            if sample_id not in files and (kind == "Images" or split != "test"):
                raise DataError(f"{list_file.name}: names {sample_id!r}, but {folder}/{kind} lacks it. {_HINT}")
        image, mask, people = (kinds[kind].get(sample_id) for kind in ("Images", "Category_ids", "Human_ids"))
        assert image is not None  # as just made sure
        checked_by = (instances[sample_id],) if mask and people and sample_id in instances else ()
        items.append(SourceItem(sample_id, image, mask, people, label_files=checked_by))
    return items


def cihp_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """Part mask and person ids, checked against each other and against the part instances.

    Raises:
        DataError: a file cannot be read, sizes differ, or a label is unknown.
    """
    labels = plain_labels(archives, item, image_hw, label_set)
    if labels.mask is None or labels.people_map is None:
        return labels
    parts, people = decode_map(labels.mask, item.sample_id), decode_map(labels.people_map, item.sample_id)
    instances = None
    for file in item.label_files:
        instances = decode_map(archives.read(file), file.name)
        check_size(instances, image_hw, file.name)
    return dataclasses.replace(labels, contradictions=contradictions(parts, people, instances))


def contradictions(parts: np.ndarray, people: np.ndarray, instances: np.ndarray | None) -> tuple[str, ...]:
    """What (H, W) uint8 maps of classes, person ids and part instances say against each other, in words.

    Ignored pixels and, up to `NOISE`, single pixels are passed over.
    """
    told = (parts != IGNORE) & (people != IGNORE)
    labelled = told & ((parts > 0) | (people > 0))
    both = told & (parts > 0) & (people > 0)
    kinds = {
        "have a class and no person": told & (parts > 0) & (people == 0),
        "have a person and no class": told & (parts == 0) & (people > 0),
    }
    if instances is not None:
        expected = (people.astype(np.int32) - 1) * _CLASSES + parts
        other = (both & (instances != expected)) | (told & ~labelled & (instances != 0))
        kinds["have another part instance than class and person tell"] = other
    limit = NOISE * max(int(labelled.sum()), 1)
    return tuple(f"{count} pixels {what}" for what, where in kinds.items() if (count := int(where.sum())) > limit)


def cihp_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """Images that no list names."""
    unlisted = 0
    for split in options.splits:
        held = set(read_ids(archives, archives.require(f"{_FOLDERS[split]}/{split}_id.txt", _HINT)))
        unlisted += len(set(archives.folder_files(f"{_FOLDERS[split]}/Images")) - held)
    return {"unlisted_images": unlisted}


CIHP = Layout(
    "cihp",
    ("train", "val", "test"),
    cihp_items,
    {"train": 28280, "val": 5000, "test": 5000},
    labels=cihp_labels,
    account=cihp_account,
)
