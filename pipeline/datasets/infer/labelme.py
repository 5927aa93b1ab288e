"""labelme files: the labels that they use, and whether they tell people apart."""

from __future__ import annotations

from collections import Counter

from pipeline.datasets.infer.found import Inferred, built_in, drawn, own_set, people_of, with_both_sides
from pipeline.datasets.infer.names import listed_names
from pipeline.datasets.labelme import labelme_photos
from pipeline.datasets.labelme_shapes import AREAS, OWN_LABELS, PERSON
from pipeline.datasets.lists import split_lists
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import class_key, label_set


def infer_labelme(archives: Archives, name: str) -> Inferred:
    """The entry of a folder of photos with labelme's JSON.

    Args:
        archives: the source.
        name: of the data set.

    Raises:
        DataError: a file is broken, or no shape has a label.
    """
    photos = labelme_photos(archives)
    counts: Counter[str] = Counter()
    not_read: Counter[str] = Counter()
    most, told_apart = 0, False
    for photo in photos.values():
        groups, alone = set(), 0
        for number, shape in enumerate(photo.content["shapes"]):
            try:
                label, kind, group = (
                    class_key(shape["label"]),
                    shape.get("shape_type", "polygon"),
                    shape.get("group_id"),
                )
                if not isinstance(kind, str) or not (group is None or isinstance(group, int)):
                    raise TypeError(f"shape_type {kind!r}, group_id {group!r}")
            except (TypeError, KeyError, AttributeError) as error:
                raise DataError(
                    f"{photo.file.name}, shape {number}: not labelme's form ({error!r}). Mend it in labelme"
                ) from error
            if kind not in AREAS:
                not_read[kind] += 1
            elif label not in OWN_LABELS and label != "background":
                counts[label] += 1
                groups |= {group} - {None}
                alone += label == PERSON and group is None
        most, told_apart = max(most, len(groups) + alone), told_apart or bool(groups) or bool(alone)
    parts = sorted(set(counts) - {PERSON})
    if not counts:
        raise DataError(
            f"{archives.folder}: no shape of any labelme file is an area with a label. Outline the parts first"
        )
    found = [f"{len(photos)} labelme files, {counts.total()} outlines of {', '.join(sorted(counts))}"]
    found += [
        f"{count} shapes of kind {kind} are no areas: they are not read" for kind, count in sorted(not_read.items())
    ]
    listed = split_lists(archives, (), ".txt")
    splits = tuple(listed) or drawn(len(photos))
    found.append("splits by list files" if listed else f"no list files: {' and '.join(splits)} are drawn by `seed`")
    people, guessed = people_of(most, told_apart)
    if told_apart:
        found.append(f"up to {most} people on a photo, told apart by group_id or outlines of label person")
    chosen = label_set(PERSON) if not parts else built_in(parts)
    notes: tuple[str, ...] = ()
    if chosen is None:
        order = [one for one in listed_names(archives) or [] if one != PERSON]
        names, added = with_both_sides([*order, *(one for one in parts if one not in order)])
        if added:
            guessed.append(f"{', '.join(added)} added to the classes: mirrored images need both sides")
        guessed.append(
            "ids of the classes in the order of the list file"
            if order
            else "ids of the classes in the order of the alphabet"
        )
        chosen = own_set(name, ["background", *names])
        notes = ("what no shape covers", *(f"{counts[one]} shapes" for one in names))
    return Inferred(
        "labelme", splits, people, chosen, notes, found=tuple(found), guessed=tuple(guessed), told_apart=told_apart
    )
