"""A plain folder: images/, masks/, instances/ (person ids), and train.txt, val.txt, test.txt; only images/ has to be there.

Masks are PNGs of ids, PNGs with a colour table (its indices are the ids), or PNGs of the label set's colours. Without list
files the split is drawn by the seed, a tenth each for val and test, and the metrics say so.
"""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.datasets.items import Annotation
from pipeline.datasets.labels import Labels, check_size, plain_labels
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import IMAGE_ENDINGS, read_names, split_lists
from pipeline.datasets.splits import SPLITS, drawn_splits
from pipeline.errors import DataError
from pipeline.images import decode_colour_table, decode_colours, encode_png
from pipeline.records import People
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import LabelSet

_LIST = ".txt"
_HINT = "Set `source` to a folder that holds images/ and, beside it, masks/"


def folder_items(archives: Archives, split: str, options: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its list, or of the archive where the split is drawn.

    Raises:
        DataError: a list names an image that is missing, an image has no mask though there is a folder of masks, or a file
            lies deeper than the reader looks.
    """
    images = _images(archives)
    masks, people = _maps(archives, "masks"), _maps(archives, "instances")
    listed = split_lists(archives, options.splits, _LIST)
    if listed:
        ids = read_names(archives, listed[split])
    else:
        ids = drawn_splits(list(images), options.splits, options.seed)[split]
    items = []
    for sample_id in ids:
        if sample_id not in images:
            raise DataError(f"{listed[split].name}: names {sample_id!r}, but images lacks it. Add it or mend the list")
        for kind, files in (("masks", masks), ("instances", people)):
            if files and sample_id not in files:
                raise DataError(
                    f"{images[sample_id].name}: has no file {kind}/{sample_id}.png. Add it, or take the image out of the set"
                )
        known = () if people or options.people == "many" else (Annotation(),)
        mask, person_ids = masks.get(sample_id), people.get(sample_id)
        items.append(SourceItem(sample_id, images[sample_id], mask, person_ids, annotations=known))
    return items


def _images(archives: Archives) -> dict[str, Member]:
    images = {stem: file for stem, file in archives.folder_files("images").items() if _is_image(file)}
    _refuse_deeper(archives, "images")
    if not images:
        raise DataError(f"{archives.folder}: no folder images/ with JPEGs or PNGs there. {_HINT}")
    return images


def _maps(archives: Archives, name: str) -> dict[str, Member]:
    _refuse_deeper(archives, name)
    return {stem: file for stem, file in archives.folder_files(name).items() if file.path.lower().endswith(".png")}


def _is_image(file: Member) -> bool:
    return file.path.lower().endswith(IMAGE_ENDINGS)


def _refuse_deeper(archives: Archives, name: str) -> None:
    """Images in folders of their own would be left out in silence.

    Raises:
        DataError: there is one.
    """
    for file in archives.members:
        folders = PurePosixPath(file.path).parent.parts
        if name in folders[:-1] and folders[-1] not in ("images", "masks", "instances") and _is_image(file):
            raise DataError(f"{file.name}: lies deeper than {name}/. Put all files right into {name}/")


def folder_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """How the set was split, and the files that no split holds."""
    images, masks = _images(archives), _maps(archives, "masks")
    listed = split_lists(archives, options.splits, _LIST)
    held = {one for split in options.splits for one in read_names(archives, listed[split])} if listed else set(images)
    others = [file for file in archives.folder_files("images").values() if not _is_image(file)]
    return {
        "split": "list files" if listed else f"drawn by seed {options.seed}",
        "images": len(images),
        "unlisted_images": len(set(images) - held),
        "masks_without_image": len(set(masks) - set(images)),
        "other_files": len(others),
    }


def folder_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """Part mask and person ids; a mask of colours is turned into ids by the label set's palette.

    Raises:
        DataError: a file cannot be read, sizes differ, or a colour or an id is unknown.
    """
    if item.mask is None:
        if item.people_map is None and not item.annotations:
            return Labels(None, None, People.empty())
        return plain_labels(archives, item, image_hw, label_set)
    data = archives.read(item.mask)
    colours = decode_colours(data, item.mask.name)
    if colours is None and label_set.colours is not None:
        # A colour table may show the set's own colours in another order than that of the ids; then the colours tell.
        colours = decode_colour_table(data)
        if colours is not None and not np.isin(_keys(colours), _keys(np.array(label_set.colours))).all():
            colours = None
    if colours is None:
        return plain_labels(archives, item, image_hw, label_set)
    check_size(colours[..., 0], image_hw, item.mask.name)
    ids = ids_of_colours(colours, label_set, item.mask.name)
    if item.people_map is None and not item.annotations:
        return Labels(encode_png(ids), None, People.empty())
    rest = plain_labels(archives, dataclasses.replace(item, mask=None), image_hw, label_set)
    return Labels(encode_png(ids), rest.people_map, rest.people)


def ids_of_colours(colours: np.ndarray, label_set: LabelSet, name: str) -> np.ndarray:
    """(H, W) uint8 ids of an (H, W, 3) uint8 RGB mask by the palette of `label_set`.

    Raises:
        DataError: a colour is not one of the palette's.
    """
    keys, palette = _keys(colours), _keys(label_set.palette[: len(label_set)])
    order = np.argsort(palette)
    place = np.clip(np.searchsorted(palette[order], keys), 0, len(palette) - 1)
    ids: np.ndarray = order[place].astype(np.uint8)
    unknown = palette[ids] != keys
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        raise DataError(
            f"{name}: pixel {column}, {row} has the colour {colours[row, column].tolist()}, which is none of label set "
            f"{label_set.name!r}; {int(unknown.sum())} pixels are so. Export the mask as ids or without smoothing, or give "
            "the label set's file its `palette`"
        )
    return ids


def _keys(colours: np.ndarray) -> np.ndarray:
    """(..., 3) RGB -> (...) uint32, one number per colour."""
    return np.asarray(colours).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


FOLDER = Layout("folder", SPLITS, folder_items, {}, (), folder_labels, folder_account)
