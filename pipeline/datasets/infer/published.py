"""The published sets by the folders and files that only they have."""

from __future__ import annotations

from pathlib import PurePosixPath

from pipeline.datasets.infer.found import Inferred
from pipeline.datasets.layout import ReaderOptions
from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import keypoint_set, label_set

_MARKS = {
    "train_segmentations": "lip",
    "val_segmentations": "lip",
    "Category_ids": "cihp",
    "SegmentationClassAug": "atr",
    "pascal_person_part_gt": "pascal",
    "SegmentationPart": "pascal",
    "parsing_annos": "mhp",
    "person_keypoints_train2017.json": "coco",
    "person_keypoints_val2017.json": "coco",
}
"""A folder, or a file -> the layout that has it."""
_SINGLE = ("lip", "atr")
_LABEL_SETS = {"coco": "person"}


def published_layout(archives: Archives) -> str | None:
    """The published set that a source is laid out as, or None."""
    for member in archives.members:
        path = PurePosixPath(member.path)
        for name in (path.parent.name, path.name):
            if name in _MARKS:
                return _MARKS[name]
    return None


def infer_published(archives: Archives, layout: str) -> Inferred:
    """The entry of a set in a published layout.

    Raises:
        DataError: none of its splits is there.
    """
    reader, troubles, splits = LAYOUTS[layout], [], []
    for split in reader.splits:
        try:
            if reader.items(archives, split, ReaderOptions(splits=(split,))):
                splits.append(split)
        except DataError as error:
            troubles.append(str(error))
    if not splits:
        raise DataError(f"laid out as {layout}, but no split can be read: {troubles[0]}")
    joints = reader.keypoint_sets[0] if reader.keypoint_sets else None
    return Inferred(
        layout,
        tuple(splits),
        "single" if layout in _SINGLE else "many",
        label_set(_LABEL_SETS.get(layout, layout)),
        joints=None if joints is None else keypoint_set(joints),
        found=(f"files laid out as the published set {layout}: splits {', '.join(splits)}",),
    )
