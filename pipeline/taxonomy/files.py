"""Label sets, maps between them and keypoint sets of one's own, from YAML files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import NOT_YAML
from pipeline.taxonomy.keypoint_sets import KEYPOINT_SETS, KeypointSet
from pipeline.taxonomy.label_sets import LABEL_SETS, LabelSet

_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def read_label_set(path: Path) -> LabelSet:
    """The label set of a file: `names` in the order of their ids, optionally `palette`, one colour per name.

    Its own name is the file's, without the ending. Colours are [r, g, b] or "#rrggbb".

    Raises:
        ValueError: the file is missing or holds no label set.
    """
    content = _read(path, {"names", "palette"}, LABEL_SETS)
    names = _names(path, content)
    if names[0] != "background":
        raise ValueError(f"{path}: the first name is {names[0]!r}, expected background, which has id 0. Put it first")
    colours = content.get("palette")
    if colours is not None:
        if not isinstance(colours, list) or len(colours) != len(names):
            raise ValueError(
                f"{path}: palette holds {_extent(colours)}, expected one colour for each of {len(names)} names"
            )
        colours = tuple(_colour(path, name, value) for name, value in zip(names, colours, strict=True))
    try:
        return LabelSet(path.stem, names, colours)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_keypoint_set(path: Path) -> KeypointSet:
    """The keypoint set of a file: `names` in their order, optionally `limbs`, pairs of names to draw.

    Raises:
        ValueError: the file is missing or holds no keypoint set.
    """
    content = _read(path, {"names", "limbs"}, KEYPOINT_SETS)
    names = _names(path, content)
    limbs = content.get("limbs") or []
    for limb in limbs if isinstance(limbs, list) else [limbs]:
        if not isinstance(limb, list) or len(limb) != 2 or not all(one in names for one in limb):
            raise ValueError(f"{path}: limb {limb!r} is no pair of its names. Write it as [left-hip, left-knee]")
    try:
        return KeypointSet(path.stem, names, tuple((a, b) for a, b in limbs))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_label_map(path: Path) -> dict[str, str]:
    """The map of a file: lines `class: class of the other set`, or `class: ignore`.

    Raises:
        ValueError: the file is missing or holds no such lines.
    """
    content = _load(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(
            f"{path}: holds {_extent(content)}, expected lines `class: class of train.label_set`, or `class: ignore`"
        )
    for ours, other in content.items():
        if not isinstance(ours, str) or not isinstance(other, str):
            raise ValueError(f"{path}: `{ours}: {other}`, expected the names of two classes. Put them in quotes")
    return content


def _load(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read ({error.strerror}). Give the path from the project's folder"
        ) from error
    except NOT_YAML as error:
        raise ValueError(f"{path}: not readable as YAML: {' '.join(str(error).split())}") from error


def _read(path: Path, known: set[str], built_in: Any) -> dict[str, Any]:
    content = _load(path)
    if not isinstance(content, dict) or "names" not in content:
        raise ValueError(f"{path}: has no `names:`. List the names there in the order of their ids")
    unknown = sorted(str(key) for key in set(content) - known)
    if unknown:
        raise ValueError(f"{path}: {unknown[0]} is not a known key; known are {', '.join(sorted(known))}")
    if path.stem in built_in:
        raise ValueError(f"{path}: {path.stem!r} is the name of a built-in set. Rename the file")
    return content


def _names(path: Path, content: dict[str, Any]) -> tuple[str, ...]:
    names = content["names"]
    if not isinstance(names, list) or not names:
        raise ValueError(f"{path}: names holds {_extent(names)}, expected a list of names")
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{path}: name {number} is {name!r}, expected text. Put it in quotes")
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{path}: {twice!r} stands there twice. Remove one of them")
    return tuple(names)


def _colour(path: Path, name: str, value: Any) -> tuple[int, int, int]:
    if isinstance(value, str) and _HEX.fullmatch(value):
        return (int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16))
    if isinstance(value, list) and len(value) == 3 and all(type(part) is int and 0 <= part <= 255 for part in value):
        return (value[0], value[1], value[2])
    raise ValueError(f'{path}: the colour of {name!r} is {value!r}, expected [r, g, b] from 0 to 255, or "#rrggbb"')


def _extent(value: Any) -> str:
    return f"{len(value)} entries" if isinstance(value, list) else f"{value!r}"
