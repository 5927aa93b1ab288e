"""COCO JSON: which file is which split, which categories are parts, people, joints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pipeline.datasets.infer.found import Inferred, built_in, drawn, own_set, people_of, with_both_sides
from pipeline.errors import DataError
from pipeline.sources.archives import Member
from pipeline.taxonomy import KEYPOINT_SETS, KeypointSet, LabelSet, class_key, label_set

_PERSON = "person"
_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
_OBJECTS = {"bicycle", "car", "bus", "bird", "cat", "dog", "chair", "couch", "boat", "laptop"}
"""Some of COCO's categories: where they are, `person` stands among things, not beside parts."""


def infer_coco_json(tables: Mapping[Member, dict[str, Any]], name: str) -> Inferred:
    """The entry of a set whose labels are COCO JSON.

    Args:
        tables: the JSON files and their contents.
        name: of the data set.

    Raises:
        DataError: the files' splits cannot be told, or nothing in them is of use.
    """
    annotations, found, guessed = _annotations(tables)
    used: Counter[str] = Counter()
    most = 0
    categories: dict[str, dict[str, Any]] = {}
    for member, table in tables.items():
        if member.path in annotations.values():
            counted, people = _read(table, categories, member.name)
            used += counted
            most = max(most, people)
    others = [key for key in categories if key not in (_PERSON, "background")]
    parts = _parts(others, used)
    found.append(f"{used.total()} annotations of {', '.join(sorted(used)) or 'nothing'}")
    left_out = sorted(set(others) & set(used)) if not parts else []
    if left_out:
        guessed.append(f"{len(left_out)} categories are no parts of people: they are not read")
    if not parts and not used[_PERSON]:
        raise DataError(
            f"{next(iter(tables)).name}: no annotation is of a person or of a part of one. Is it the right file?"
        )
    chosen, notes = _label_set(parts, used, name, guessed)
    told_apart = bool(used[_PERSON])
    how_many, guesses = people_of(most, told_apart)
    if told_apart:
        found.append(f"up to {most} people on a photo, told apart by annotations of category person")
    joints = _joints(categories.get(_PERSON, {}), name) if told_apart else None
    if joints is not None:
        found.append(f"joints: {joints.name if joints.name in KEYPOINT_SETS else ', '.join(joints.keypoint_names)}")
    return Inferred(
        "coco_json", tuple(annotations), how_many, chosen, notes, joints, annotations,
        tuple(found), (*guessed, *guesses), told_apart,
    )  # fmt: skip


def _annotations(tables: Mapping[Member, dict[str, Any]]) -> tuple[dict[str, str], list[str], list[str]]:
    """Split -> JSON file; what was found, what was guessed."""
    if len(tables) == 1:
        ((member, table),) = tables.items()
        splits = drawn(len(table["images"]))
        guess = f"{' and '.join(splits)} are drawn by `seed` from the one file"
        return (
            dict.fromkeys(splits, member.path),
            [f"COCO JSON {member.path} of {len(table['images'])} images"],
            [guess],
        )
    by_split: dict[str, Member] = {}
    for member in tables:
        split = split_of(member.path)
        if split is None or split in by_split:
            other = by_split[split].path if split else next(one.path for one in tables if one is not member)
            raise DataError(
                f"{member.path} and {other}: their names do not tell which split each is of. Call them train.json, val.json, "
                "test.json, or name the one that is meant: hpp init-dataset FILE.json"
            )
        by_split[split] = member
    ordered = {split: by_split[split] for split in ("train", "val", "test") if split in by_split}
    found = [
        f"COCO JSON of {split}: {member.path}, {len(tables[member]['images'])} images"
        for split, member in ordered.items()
    ]
    return {split: member.path for split, member in ordered.items()}, found, []


def split_of(path: str) -> str | None:
    """The split that the words of a file's name tell, or those of its folders."""
    for step in reversed(PurePosixPath(path).with_suffix("").parts):
        told = {_SPLIT_WORDS[word] for word in re.findall("[a-z]+", step.lower()) if word in _SPLIT_WORDS}
        if len(told) == 1:
            return told.pop()
    return None


def _read(table: dict[str, Any], categories: dict[str, dict[str, Any]], name: str) -> tuple[Counter[str], int]:
    """Annotations by category, and the most people of an image; adds the file's categories to `categories`."""
    try:
        keys = {category["id"]: class_key(str(category["name"])) for category in table["categories"]}
        for category in sorted(table["categories"], key=lambda one: one["id"]):
            categories.setdefault(keys[category["id"]], category)
        used = Counter(keys[annotation["category_id"]] for annotation in table["annotations"])
        people = Counter(
            annotation["image_id"]
            for annotation in table["annotations"]
            if keys[annotation["category_id"]] == _PERSON and not annotation.get("iscrowd")
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"{name}: not COCO's form, {error!r} is missing or of another type. Export it again") from error
    return used, max(people.values(), default=0)


def _parts(others: Sequence[str], used: Counter[str]) -> list[str]:
    """The categories that are parts: those that annotations have; beside `person`, none where the others are things."""
    things = used[_PERSON] > 0 and len(_OBJECTS & set(others)) > 1
    return [] if things else [key for key in others if used[key]]


def _label_set(
    parts: Sequence[str], used: Counter[str], name: str, guessed: list[str]
) -> tuple[LabelSet, tuple[str, ...]]:
    if not parts:
        return label_set(_PERSON), ()
    if (known := built_in(parts)) is not None:
        return known, ()
    names, added = with_both_sides(parts)
    if added:
        guessed.append(f"{', '.join(added)} added to the classes: mirrored images need both sides")
    notes = ("what no outline covers", *(f"{used[one]} outlines" for one in names))
    return own_set(name, ["background", *names]), notes


def _joints(person: Mapping[str, Any], name: str) -> KeypointSet | None:
    """The built-in keypoint set of the category's joints, or one of its own; None where it names no joints.

    Raises:
        DataError: the names make no keypoint set.
    """
    names = tuple(class_key(str(one)) for one in person.get("keypoints") or ())
    if not names:
        return None
    same = next((one for one in KEYPOINT_SETS.values() if one.keypoint_names == names), None)
    pairs = [pair for pair in person.get("skeleton") or () if all(1 <= end <= len(names) for end in pair)]
    try:
        return same or KeypointSet(f"{name}-joints", names, tuple((names[a - 1], names[b - 1]) for a, b in pairs))
    except ValueError as error:
        raise DataError(f"category person: {error}. Mend the names of its keypoints") from error
