"""CIHP: several people in an image, 19 part classes with torso-skin as id 10, person ids, no joints."""

from __future__ import annotations

from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import read_ids
from pipeline.errors import DataError
from pipeline.sources.archives import Archives

_FOLDERS = {"train": "Training", "val": "Validation", "test": "Testing"}
_HINT = "Place CIHP's instance-level_human_parsing archive there"


def cihp_items(archives: Archives, split: str, _: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its id list; test images have no labels.

    Raises:
        DataError: the list names a file that is missing.
    """
    folder = _FOLDERS[split]
    list_file = archives.require(f"{folder}/{split}_id.txt", _HINT)
    images = archives.folder_files(f"{folder}/Images")
    masks = archives.folder_files(f"{folder}/Category_ids")
    people = archives.folder_files(f"{folder}/Human_ids")
    items = []
    for sample_id in read_ids(archives, list_file):
        for kind, files in (("Images", images), ("Category_ids", masks), ("Human_ids", people)):
            if sample_id not in files and (kind == "Images" or split != "test"):
                raise DataError(f"{list_file.name}: names {sample_id!r}, but {folder}/{kind} lacks it. {_HINT}")
        items.append(SourceItem(sample_id, images[sample_id], masks.get(sample_id), people.get(sample_id)))
    return items


CIHP = Layout("cihp", ("train", "val", "test"), cihp_items, {"train": 28280, "val": 5000, "test": 5000})
