"""A plain folder: its splits, its people, and the classes of its masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from pipeline.datasets.folder import IMAGES, INSTANCES, MASKS, FolderTree, read_tree
from pipeline.datasets.infer.found import NO_MASKS, Inferred, drawn, own_set, people_of, with_both_sides
from pipeline.datasets.infer.masks import Colour, MaskClasses, classes_of_masks
from pipeline.datasets.infer.names import named_classes
from pipeline.datasets.lists import split_lists
from pipeline.images import decode_map
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import LABEL_SETS, label_set, voc_palette

Progress = Callable[[int, int], None]
"""Told how many files are read, of how many."""


def infer_folder(archives: Archives, name: str, progress: Progress) -> Inferred:
    """The entry of a folder of photos, with masks or without.

    Args:
        archives: the source.
        name: of the data set.
        progress: told of the maps that are read.

    Raises:
        DataError: it is no such folder, or its masks are none.
    """
    tree = read_tree(archives)
    masks, instances = (list(tree.files[kind].values()) for kind in (MASKS, INSTANCES))
    splits, how = _splits(archives, tree)
    kinds = [f"{len(tree.files[kind]) or 'no'} files in {kind}/" for kind in (MASKS, INSTANCES)]
    found = [f"{len(tree.files[IMAGES])} photos, {', '.join(kinds)}", how]
    if tree.others:
        found.append(f"{tree.others} files in images/ that are no JPEG, PNG, WebP or BMP: they are left out")
    most = max(_people_a_photo(archives, instances, progress), default=0)
    people, guessed = people_of(most, bool(instances))
    if instances:
        found.append(f"up to {most} people on a photo, told apart by instances/")
    entry = Inferred(
        "folder", splits, people, label_set(NO_MASKS), found=tuple(found), guessed=tuple(guessed), told_apart=bool(instances)
    )  # fmt: skip
    if masks:
        return _named(archives, name, entry, classes_of_masks(archives, masks, progress))
    note = (
        f"label_set: {NO_MASKS}, which nothing reads without masks: people, joints and heatmaps are made, part masks and "
        "edges are not"
    )
    return replace(entry, guessed=(*guessed, note))


def _splits(archives: Archives, tree: FolderTree) -> tuple[tuple[str, ...], str]:
    if tree.folders is not None:
        sizes = ", ".join(f"{len(ids)} {split}" for split, ids in tree.folders.items())
        return tuple(tree.folders), f"splits by folders: {sizes}"
    listed = split_lists(archives, (), ".txt")
    if listed:
        return tuple(listed), f"splits by list files: {', '.join(file.name for file in listed.values())}"
    splits = drawn(len(tree.files[IMAGES]))
    return splits, f"no list files: {' and '.join(splits)} are drawn by `seed`"


def _people_a_photo(archives: Archives, maps: Sequence[Member], progress: Progress) -> Iterator[int]:
    for number, file in enumerate(maps, start=1):
        yield int((np.unique(decode_map(archives.read(file), file.name)) != 0).sum())
        progress(number, len(maps))


def _named(archives: Archives, name: str, entry: Inferred, classes: MaskClasses) -> Inferred:
    """The entry with the label set of its masks' classes."""
    names, found, guessed = named_classes(archives, classes)
    if names is None:
        names = ["background", *(f"class-{number}" for number in range(1, classes.count))]
        guessed.append(
            f"the names of the {classes.count - 1} classes, which nothing tells: rename them in the label set's file, sides with "
            "left- and right- in front (else mirrored images get wrong labels)"
        )
        guessed += _like_built_in(classes)
    names, added = with_both_sides(names)
    if added:
        guessed.append(f"{', '.join(added)} added to the classes: mirrored images need both sides")
    colours = None if classes.colours is None else _one_each(classes.colours, len(names))
    same = (one for one in LABEL_SETS.values() if one.part_names == tuple(names) and colours is None)
    about = f"masks are {classes.form}: {classes.count} classes with the background"
    return replace(
        entry,
        parts=next(same, None) or own_set(name, names, colours),
        notes=classes.notes,
        found=(*entry.found, about + (", and 255 (ignored)" if classes.ignores else ""), *found),
        guessed=(*entry.guessed, *classes.guessed, *guessed),
    )


def _one_each(colours: Sequence[Colour], count: int) -> list[Colour]:
    """The colours, and for classes without one those of VOC's table that are free."""
    voc = ((int(red), int(green), int(blue)) for red, green, blue in voc_palette())
    free = (colour for colour in voc if colour not in colours)
    return [*colours, *(next(free) for _ in range(count - len(colours)))]


def _like_built_in(classes: MaskClasses) -> list[str]:
    """A hint that the classes may be those of a published set."""
    alike = [name for name, one in LABEL_SETS.items() if len(one) == classes.count and name != NO_MASKS]
    if classes.colours is not None or not alike:
        return []
    return [
        f"{' and '.join(alike)} {'has' if len(alike) == 1 else 'have'} {classes.count} classes, too: if the masks hold those, "
        f"write `label_set: {alike[0]}`"
    ]
