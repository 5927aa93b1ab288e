"""Names of classes from a file beside the masks, as annotation tools write it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath

from pipeline.datasets.infer.masks import Colour, MaskClasses
from pipeline.datasets.lists import read_text
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import class_key

_LISTS = ("classes.txt", "labels.txt", "class_names.txt")
"""A name per line, in the order of the ids."""
_COLOUR_LIST, _ID_TABLE = "labelmap.txt", "id2label.json"
"""CVAT's lines `name:r,g,b:...`, and the table of ids that Hugging Face's sets carry."""
_BACKGROUND = ("background", "-background-", "--background--", "bg", "unlabeled")
_IGNORED = "--ignore--"


def named_classes(archives: Archives, classes: MaskClasses) -> tuple[list[str] | None, list[str], list[str]]:
    """Names of the ids of masks, None where no file gives them; what was found, and what was assumed.

    Names of more classes than the masks show are kept: the masks at hand need not show them all.
    """
    for file in (member for name in (_COLOUR_LIST, _ID_TABLE, *_LISTS) for member in _files(archives, name)):
        try:
            names, assumed = _read(archives, file, classes)
        except DataError as error:
            return None, [f"{file.name} is not used: {error}"], []
        return names, [f"names of the classes in {file.name}"], assumed
    return None, [], []


def listed_names(archives: Archives) -> list[str] | None:
    """The names of a list file without the background, or None where there is no such file."""
    for file in (member for name in _LISTS for member in _files(archives, name)):
        names = [class_key(line) for line in read_text(archives, file).splitlines() if line.strip()]
        return [name for name in names if name not in (*_BACKGROUND, _IGNORED)]
    return None


def _files(archives: Archives, name: str) -> list[Member]:
    return [member for member in archives.members if PurePosixPath(member.path).name.lower() == name][:1]


def _read(archives: Archives, file: Member, classes: MaskClasses) -> tuple[list[str], list[str]]:
    text, base = read_text(archives, file), PurePosixPath(file.path).name.lower()
    assumed: list[str] = []
    if base == _COLOUR_LIST:
        names = _by_colour(text, classes.colours)
    elif not classes.ordered:
        raise DataError("it does not say which colour is which class")
    elif base == _ID_TABLE:
        names = _by_id(text)
    else:
        names = [key for line in text.splitlines() if (key := class_key(line)) and key != _IGNORED]
        if names and names[0] not in _BACKGROUND:
            names = ["background", *names]
            assumed = [f"the first name of {file.name} has id 1, for it is not called background"]
    if names and names[0] in _BACKGROUND:
        names[0] = "background"
    if len(names) < classes.count:
        raise DataError(f"it has {len(names)} names with the background, the masks {classes.count} classes")
    if len(set(names)) != len(names) or names[0] != "background":
        raise DataError("a name stands there twice, or the first is not background")
    return names, assumed


def _by_colour(text: str, colours: Sequence[Colour] | None) -> list[str]:
    known: dict[Colour, str] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        numbers = rest.split(":")[0].split(",")
        if line.strip() and not line.startswith("#"):
            if len(numbers) != 3 or not all(number.strip().isdecimal() for number in numbers):
                raise DataError(f"the line {line!r} is not of the form name:r,g,b")
            red, green, blue = (int(number) for number in numbers)
            known[red, green, blue] = class_key(name)
    if colours is None:
        raise DataError("it names colours, the masks hold ids")
    unnamed = next((colour for colour in colours if colour not in known), None)
    if unnamed is not None:
        raise DataError(f"it has no colour {list(unnamed)}, which masks have")
    return [known[colour] for colour in colours]


def _by_id(text: str) -> list[str]:
    try:
        table = {int(number): class_key(str(name)) for number, name in json.loads(text).items()}
    except (ValueError, AttributeError) as error:
        raise DataError("it is no table of ids and names") from error
    if sorted(table) != list(range(len(table))):
        raise DataError(f"its ids are {sorted(table)}, expected 0, 1, 2 ... without gaps")
    return [table[number] for number in range(len(table))]
