"""A plain folder: images/, masks/, instances/ (person ids), and train.txt, val.txt, test.txt; only images/ has to be there.

Masks are PNGs of ids, PNGs with a colour table (its indices are the ids), or PNGs of the label set's colours. Splits are told by list
files, or by folders, images/train/ or train/images/. Without either they are drawn by the seed, a tenth each for val and test,
and the metrics say so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.datasets.items import Annotation
from pipeline.datasets.labels import Labels, check_size, plain_labels
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import IMAGE_ENDINGS, read_names, split_lists
from pipeline.datasets.splits import SPLITS, drawn_splits
from pipeline.errors import DataError, UnknownIds
from pipeline.images import decode_colour_table, decode_colours, decode_map, encode_png
from pipeline.records import People
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import LabelSet

IMAGES, MASKS, INSTANCES = KINDS = ("images", "masks", "instances")
_SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "valid"), "test": ("test",)}
_LIST = ".txt"
_HINT = "Set `source` to a folder that holds images/ and, beside it, masks/"


@dataclass(frozen=True)
class FolderTree:
    """Where a plain folder's files lie.

    Attributes:
        files: kind -> id -> file; ids are the files' stems.
        folders: split -> id of each image in the split's own folder; None where there are no such folders.
        others: files among the images that are none.
    """

    files: Mapping[str, Mapping[str, Member]]
    folders: Mapping[str, tuple[str, ...]] | None
    others: int


def read_tree(archives: Archives) -> FolderTree:
    """The files of a plain folder, whichever way it is built.

    Raises:
        DataError: there is no images/, two files share a name, a file lies deeper than the reader looks, or images lie both in
            folders of splits and outside of them.
    """
    found: dict[str, dict[str, Member]] = {kind: {} for kind in KINDS}
    folders: dict[str, list[str]] = {}
    outside: Member | None = None
    others = 0
    for file in archives.members:
        place = _place(file)
        if place is None:
            continue
        kind, split = place
        if not file.path.lower().endswith(IMAGE_ENDINGS if kind == IMAGES else ".png"):
            if kind != IMAGES and file.path.lower().endswith(IMAGE_ENDINGS):
                raise DataError(f"{file.name}: no PNG, and only those keep ids exactly. Export it as one")
            others += kind == IMAGES
            continue
        if file.stem in found[kind]:
            raise DataError(_twice(file, found[kind][file.stem], kind))
        found[kind][file.stem] = file
        if kind == IMAGES and split is not None:
            folders.setdefault(split, []).append(file.stem)
        elif kind == IMAGES:
            outside = file
    if not found[IMAGES]:
        raise DataError(f"{archives.folder}: no folder images/ with JPEGs or PNGs there. {_HINT}")
    if folders and outside is not None:
        raise DataError(
            f"{outside.name}: lies in no split's folder, others lie in {', '.join(folders)}. Move it into one of them"
        )
    return FolderTree(found, {split: tuple(ids) for split, ids in folders.items()} or None, others)


def _place(file: Member) -> tuple[str, str | None] | None:
    """Kind and split of a file by its folders; None for one that is neither image nor map.

    Raises:
        DataError: it is an image in a folder of its own below images/, where it would be left out in silence.
    """
    above = PurePosixPath(file.path).parent.parts
    last = {name: split for split, names in _SPLIT_FOLDERS.items() for name in names}
    if above and above[-1] in KINDS:
        return above[-1], last.get(above[-2]) if len(above) > 1 else None
    if len(above) > 1 and above[-2] in KINDS and above[-1] in last:
        return above[-2], last[above[-1]]
    kind = next((name for name in above if name in KINDS), None)
    if kind is not None and file.path.lower().endswith(IMAGE_ENDINGS):
        raise DataError(
            f"{file.name}: lies deeper than {kind}/. Put all files right into {kind}/, or into {kind}/train/ ..."
        )
    return None


def _twice(file: Member, other: Member, kind: str) -> str:
    if PurePosixPath(file.path).parent == PurePosixPath(other.path).parent:
        return f"{file.name}: the name {file.stem!r} stands twice in {kind}. Remove one of them"
    return f"{file.name}: the name {file.stem!r} stands also in {other.name}; a name is one photo's. Rename one of them"


def folder_items(archives: Archives, split: str, options: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its list, or of the archive where the split is drawn or a folder.

    Raises:
        DataError: a list names an image that is missing, an image has no mask though there is a folder of masks, or a file
            lies deeper than the reader looks.
    """
    tree = read_tree(archives)
    images = tree.files[IMAGES]
    ids, where = _split_ids(archives, tree, options)
    items = []
    for sample_id in ids[split]:
        if sample_id not in images:
            raise DataError(f"{where[split]}: names {sample_id!r}, but images lacks it. Add it or mend the list")
        for kind in (MASKS, INSTANCES):
            if tree.files[kind] and sample_id not in tree.files[kind]:
                raise DataError(
                    f"{images[sample_id].name}: has no file {kind}/{sample_id}.png. Add it, or take the image out of the set"
                )
        known = () if tree.files[INSTANCES] or options.people == "many" else (Annotation(),)
        mask, person_ids = tree.files[MASKS].get(sample_id), tree.files[INSTANCES].get(sample_id)
        items.append(SourceItem(sample_id, images[sample_id], mask, person_ids, annotations=known))
    return items


def _split_ids(
    archives: Archives, tree: FolderTree, options: ReaderOptions
) -> tuple[Mapping[str, list[str]], Mapping[str, str]]:
    """Split -> its ids, and split -> what says so.

    Raises:
        DataError: a split that is asked for is not there, or is told in two ways.
    """
    listed = split_lists(archives, options.splits, _LIST)
    if tree.folders is None:
        if not listed:
            return drawn_splits(list(tree.files[IMAGES]), options.splits, options.seed), {}
        ids = {split: read_names(archives, listed[split]) for split in options.splits}
        return ids, {split: file.name for split, file in listed.items()}
    if listed:
        raise DataError(
            f"{archives.folder}: the splits have folders, and lists such as {next(iter(listed.values())).name}. "
            "Take the lists away, or the folders"
        )
    missing = next((split for split in options.splits if split not in tree.folders), None)
    if missing is not None:
        raise DataError(
            f"{archives.folder}: images has folders of {', '.join(tree.folders)}, none of {missing}. Add it, or leave "
            f"{missing!r} out of `splits`"
        )
    return {split: list(ids) for split, ids in tree.folders.items()}, {}


def folder_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """How the set was split, and the files that no split holds."""
    tree = read_tree(archives)
    images, masks = tree.files[IMAGES], tree.files[MASKS]
    ids, lists = _split_ids(archives, tree, options)
    held = {one for split in options.splits for one in ids[split]}
    told = "folders" if tree.folders is not None else "list files" if lists else None
    return {
        "split": told or f"drawn by seed {options.seed}",
        "images": len(images),
        "unlisted_images": len(set(images) - held),
        "masks_without_image": len(set(masks) - set(images)),
        "other_files": tree.others,
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
        # A colour table may show the set's own colours in another order than that of the ids, and shades of grey may be such
        # colours; then the colours tell.
        colours = _shown(data, item.mask.name)
        if not np.isin(_keys(colours), _keys(np.array(label_set.colours))).all():
            colours = None
    if colours is None:
        return plain_labels(archives, item, image_hw, label_set)
    check_size(colours[..., 0], image_hw, item.mask.name)
    ids = ids_of_colours(colours, label_set, item.mask.name)
    if item.people_map is None and not item.annotations:
        return Labels(encode_png(ids), None, People.empty())
    rest = plain_labels(archives, dataclasses.replace(item, mask=None), image_hw, label_set)
    return Labels(encode_png(ids), rest.people_map, rest.people)


def _shown(data: bytes, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB that a viewer shows of a PNG of one channel."""
    colours = decode_colour_table(data)
    return np.repeat(decode_map(data, name)[..., None], 3, axis=2) if colours is None else colours


def ids_of_colours(colours: np.ndarray, label_set: LabelSet, name: str) -> np.ndarray:
    """(H, W) uint8 ids of an (H, W, 3) uint8 RGB mask by the palette of `label_set`.

    Raises:
        UnknownIds: a colour is not one of the palette's.
    """
    keys, palette = _keys(colours), _keys(label_set.palette[: len(label_set)])
    order = np.argsort(palette)
    place = np.clip(np.searchsorted(palette[order], keys), 0, len(palette) - 1)
    ids: np.ndarray = order[place].astype(np.uint8)
    unknown = palette[ids] != keys
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        raise UnknownIds(
            f"{name}: pixel {column}, {row} has the colour {colours[row, column].tolist()}, which is none of label set "
            f"{label_set.name!r}; {int(unknown.sum())} pixels are so. Export the mask as ids or without smoothing, or give "
            "the label set's file its `palette`"
        )
    return ids


def _keys(colours: np.ndarray) -> np.ndarray:
    """(..., 3) RGB -> (...) uint32, one number per colour."""
    return np.asarray(colours).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)


FOLDER = Layout("folder", SPLITS, folder_items, {}, (), folder_labels, folder_account)
