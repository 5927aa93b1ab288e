"""The written form of what was found: the entry of params.yaml, put in as text so that all else in the file stays, and the sets' files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.datasets.infer.found import Inferred
from pipeline.errors import ParamsError
from pipeline.taxonomy import KeypointSet

Entry = dict[str, Any]


def dataset_entry(inferred: Inferred, source: str, label_set: str, keypoint_set: str | None) -> Entry:
    """The values of the entry, with every key that dvc.yaml reads.

    Args:
        inferred: what was found.
        source: path of the source, as it will stand in params.yaml.
        label_set, keypoint_set: names of built-in sets, or paths of the sets' files.
    """
    entry: Entry = {
        "source": source,
        "layout": inferred.layout,
        "splits": list(inferred.splits),
        "people": inferred.people,
        "label_set": label_set,
        "keypoint_set": keypoint_set,
        "images": {},
        "sha256": {},
    }
    return {**entry, "annotations": dict(inferred.annotations)} if inferred.annotations else entry


def with_entry(text: str, name: str, entry: Mapping[str, Any], file: str) -> str:
    """The text of params.yaml with one data set more, behind the last one; every other character as it was.

    Args:
        text: of params.yaml.
        name: of the data set.
        entry: its values.
        file: how the file is called, for errors.

    Raises:
        ParamsError: the file has such a data set, or no block `datasets` to put it in.
    """
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ParamsError(f"{file}: not readable as YAML: {' '.join(str(error).split())}") from error
    for section in ("datasets", "teacher_datasets"):
        if isinstance(content, dict) and name in (content.get(section) or {}):
            raise ParamsError(f"{file}: {section}.{name} is there already. Take it out, or give another --name")
    place = next((value for key, value in getattr(root, "value", []) if key.value == "datasets"), None)
    if not isinstance(place, yaml.MappingNode) or place.flow_style or not place.value:
        raise ParamsError(f"{file}: has no `datasets:` with an entry a block. Write the first data set by hand")
    lines = text.splitlines(keepends=True)
    end = "\r\n" if lines[0].endswith("\r\n") else "\n"
    last = _last_line(place)
    while not lines[last].strip():
        last -= 1
    indent = " " * place.value[0][0].start_mark.column
    if not lines[last].endswith(("\n", "\r\n")):
        lines[last] += end
    block = [f"{indent}{_flow(name)}:{end}", *(f"{indent}  {key}: {_flow(value)}{end}" for key, value in entry.items())]
    changed = "".join([*lines[: last + 1], *block, *lines[last + 1 :]])
    expected = {**content, "datasets": {**content["datasets"], name: dict(entry)}}
    if yaml.safe_load(changed) != expected:
        raise ParamsError(
            f"{file}: the entry finds no place in `datasets`. Write it by hand: {_flow({name: dict(entry)})}"
        )
    return changed


def _last_line(node: yaml.Node) -> int:
    """The line on which the text of a node ends, comments behind it not counted."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    mark = node.end_mark
    return int(mark.line - (mark.column == 0 and mark.line > node.start_mark.line))


def _flow(value: Any) -> str:
    """A value on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=float("inf"), sort_keys=False)
    return str(text).removesuffix("...\n").strip()


def label_set_text(inferred: Inferred) -> str:
    """The file of an own label set: a class a line, with what is known of it, and its colour."""
    parts = inferred.parts
    notes = dict(zip(parts.part_names, inferred.notes, strict=False))  # names of classes that nothing shows have none
    lines = [
        "# Classes in the order of their ids; `left-` and `right-` trade places when an image is mirrored.",
        "names:",
    ]
    for name in parts.part_names:
        lines.append(f"  - {_flow(name)}" + (f"  # {' '.join(notes[name].split())}" if name in notes else ""))
    if parts.colours is not None:
        lines.append("palette:")
        lines += [f'  - "#{red:02x}{green:02x}{blue:02x}"' for red, green, blue in parts.colours]
    return "\n".join(lines) + "\n"


def keypoint_set_text(joints: KeypointSet) -> str:
    """The file of an own keypoint set."""
    lines = ["names:", *(f"  - {_flow(name)}" for name in joints.keypoint_names)]
    if joints.limbs:
        lines += ["limbs:", *(f"  - {_flow(list(limb))}" for limb in joints.limbs)]
    return "\n".join(lines) + "\n"
