"""ATR: one person per image, 17 part classes, no joints; published without list files.

With {train,val,test}_id.txt beside or inside the archive those are the splits. Without any the split is drawn by the seed in
the nominal proportion of 16,000 / 700 / 1,006, and the metrics say so: no canonical list exists.
"""

from __future__ import annotations

from typing import Any

from pipeline.datasets.layout import PLAIN, Annotation, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import read_ids, split_lists
from pipeline.datasets.splits import SPLITS, seeded_split, share_out
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member

_LIST = "_id.txt"
_NOMINAL = {"train": 16000, "val": 700, "test": 1006}
_HINT = "Place ATR's humanparsing archive (JPEGImages, SegmentationClassAug) there"


def atr_items(archives: Archives, split: str, options: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its list, or of the archive where the split is drawn.

    Raises:
        DataError: a list names an image or a mask that is missing, or an image has no mask.
    """
    images, masks = _files(archives)
    listed = split_lists(archives, options.splits, _LIST)
    ids = read_ids(archives, listed[split]) if listed else _drawn(list(images), options.seed)[split]
    where = listed[split].name if listed else "SegmentationClassAug"
    for sample_id in ids:
        for kind, files in (("JPEGImages", images), ("SegmentationClassAug", masks)):
            if sample_id not in files:
                raise DataError(f"{where}: {sample_id!r} has no file in {kind}. {_HINT}, or mend the list")
    return [SourceItem(one, images[one], masks[one], annotations=(Annotation(),)) for one in ids]


def _files(archives: Archives) -> tuple[dict[str, Member], dict[str, Member]]:
    images, masks = archives.folder_files("JPEGImages"), archives.folder_files("SegmentationClassAug")
    if not images:
        raise DataError(f"{archives.folder}: no archive there has a folder JPEGImages. {_HINT}")
    return images, masks


def _drawn(ids: list[str], seed: int) -> dict[str, list[str]]:
    return seeded_split(ids, share_out(len(ids), _NOMINAL, rest="test"), seed)


def atr_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """How the set was split, and images and masks that no split holds."""
    images, masks = _files(archives)
    listed = split_lists(archives, options.splits, _LIST)
    if listed:
        held = {one for file in listed.values() for one in read_ids(archives, file)}
        return {"split": "list files", "unlisted_images": len(set(images) - held), "images": len(images)}
    sizes = {split: len(ids) for split, ids in _drawn(list(images), options.seed).items()}
    return {
        "split": f"drawn by seed {options.seed}",
        "split_sizes": sizes,
        "masks_without_image": len(set(masks) - set(images)),
        "images": len(images),
    }


ATR = Layout("atr", SPLITS, atr_items, _NOMINAL, account=atr_account)
