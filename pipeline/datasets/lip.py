"""LIP: single people cut from COCO, 19 part classes, 16 joints in csv files, or in the JSON of CorrPM or MuLA.

Quirks that end here: the masks lie in a zip inside the zip; the csv's third value is 1 for occluded and 0 for visible;
missing joints are nan; the test images' folder is `testing_images`; test labels are withheld.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pipeline.datasets.layout import PLAIN, Annotation, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lip_json import NUM_JOINTS, parse_pose_json
from pipeline.datasets.lists import read_ids, read_text
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member

_IMAGES = {"train": "train_images", "val": "val_images", "test": "testing_images"}
_HINT = "Place LIP's TrainVal_images.zip, TrainVal_parsing_annotations.zip and TrainVal_pose_annotations.zip there"


def lip_items(archives: Archives, split: str, _: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's crops in the order of its id list, with their joints where the csv (or, without it, the JSON) has a row.

    Raises:
        DataError: a list names a file that is missing, or the file of joints is malformed.
    """
    images = archives.folder_files(_IMAGES[split])
    list_file = archives.require(f"{split}_id.txt", _HINT)
    ids = read_ids(archives, list_file)
    masks: dict[str, Member] = {} if split == "test" else archives.folder_files(f"{split}_segmentations")
    joints, hidden_untold = _joints(archives, split)
    items = []
    for sample_id in ids:
        for kind, files in (("image", images), ("mask", masks)):
            if sample_id not in files and (kind == "image" or split != "test"):
                raise DataError(f"{list_file.name}: names {sample_id!r}, but no {kind} of that name is there. {_HINT}")
        items.append(
            SourceItem(
                sample_id=sample_id,
                image=images[sample_id],
                mask=masks.get(sample_id),
                annotations=(Annotation(keypoints=joints.get(sample_id, (0.0,) * (3 * NUM_JOINTS))),),
                hidden_untold=hidden_untold,
            )
        )
    return items


def _joints(archives: Archives, split: str) -> tuple[dict[str, tuple[float, ...]], bool]:
    """Stem -> flat x, y, v; and whether the file leaves untold which joints are hidden."""
    if split != "test":
        table = archives.find(f"lip_{split}_set.csv")
        if table is not None:
            return parse_pose_csv(read_text(archives, table), table.name), False
        if (table := archives.find(f"LIP_SP_{split.upper()}_annotations.json")) is not None:
            return parse_pose_json(read_text(archives, table), table.name), True
    return {}, False


def lip_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """Images and joints that no list names, and listed images without a row of joints."""
    figures = {"unlisted_images": 0, "images_without_joints": 0, "joints_without_image": 0}
    for split in options.splits:
        held = set(read_ids(archives, archives.require(f"{split}_id.txt", _HINT)))
        figures["unlisted_images"] += len(set(archives.folder_files(_IMAGES[split])) - held)
        if split != "test":
            joints = set(_joints(archives, split)[0])
            figures["images_without_joints"] += len(held - joints)
            figures["joints_without_image"] += len(joints - held)
    return figures


def parse_pose_csv(text: str, name: str) -> dict[str, tuple[float, ...]]:
    """Rows `file.jpg, 16 x (x, y, v)` -> stem -> flat x, y, v in COCO's sense of v.

    A joint whose coordinates are nan is not annotated: (0, 0, 0). The csv's v is 1 for occluded joints, which is COCO's
    1, and 0 for visible ones, COCO's 2.

    Raises:
        DataError: a row has another number of fields, a field is no number or infinite, or a file stands there twice.
    """
    rows: dict[str, tuple[float, ...]] = {}
    # Pixels repeat: a number that stands there a thousand times is kept once.
    numbers = lru_cache(maxsize=4096)(float)
    for number, fields in enumerate(_csv_rows(text, name), start=1):
        if not fields:
            continue
        if len(fields) != 1 + 3 * NUM_JOINTS:
            raise DataError(
                f"{name}, row {number}: {len(fields)} fields, expected {1 + 3 * NUM_JOINTS}. Get the file again"
            )
        try:
            values = [numbers(field) for field in fields[1:]]
        except ValueError as error:
            raise DataError(f"{name}, row {number}: {error}. Get the file again") from error
        if any(math.isinf(value) for value in values):
            raise DataError(f"{name}, row {number}: a number is infinite, expected pixels or nan. Get the file again")
        stem = fields[0].rsplit(".", 1)[0]
        if stem in rows:
            raise DataError(f"{name}, row {number}: {stem!r} stands there twice. Remove one of the rows")
        rows[stem] = tuple(
            value for place in range(NUM_JOINTS) for value in _coco_triple(*values[3 * place : 3 * place + 3])
        )
    return rows


def _csv_rows(text: str, name: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(_lines(text))
    except csv.Error as error:
        raise DataError(f"{name}: no readable csv ({error}). Get the file again") from error


def _lines(text: str) -> Iterator[str]:
    """A text's lines as StringIO gives them, which would hold the text four times over."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _coco_triple(x: float, y: float, occluded: float) -> tuple[float, float, float]:
    if math.isnan(x) or math.isnan(y):
        return (0.0, 0.0, 0.0)
    return (x, y, 1.0 if occluded == 1 else 2.0)


def lip_source_image(sample_id: str) -> str:
    """The COCO image of a crop: <imageId>_<personId> -> <imageId>. LIP's splits share some of them."""
    return sample_id.rpartition("_")[0] or sample_id


LIP = Layout(
    "lip",
    ("train", "val", "test"),
    lip_items,
    {"train": 30462, "val": 10000, "test": 10000},
    ("lip16",),
    account=lip_account,
    source_image=lip_source_image,
)
