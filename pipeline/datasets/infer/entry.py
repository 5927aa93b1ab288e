"""The written form of what was found: the entry of params.yaml, put in as text so that all else in the file stays, and the sets' files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.datasets.infer.found import Inferred
from pipeline.errors import ParamsError
from pipeline.params.rewrite import flow, parsed, rewritten
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
        ParamsError: the file has such a data set, or no `datasets` to put it in.
    """
    content = parsed(text, file)
    for section in ("datasets", "teacher_datasets"):
        if name in (content.get(section) or {}):
            raise ParamsError(f"{file}: {section}.{name} is there already. Take it out, or give another --name")
    if not content.get("datasets"):
        raise ParamsError(f"{file}: has no data set in `datasets`. Write the first one by hand")
    return rewritten(text, {**content, "datasets": {**content["datasets"], name: dict(entry)}}, file)


def label_set_text(inferred: Inferred) -> str:
    """The file of an own label set: a class a line, with what is known of it, and its colour."""
    parts = inferred.parts
    notes = dict(zip(parts.part_names, inferred.notes, strict=False))  # names of classes that nothing shows have none
    lines = [
        "# Classes in the order of their ids; `left-` and `right-` trade places when an image is mirrored.",
        "names:",
    ]
    for name in parts.part_names:
        lines.append(f"  - {flow(name)}" + (f"  # {' '.join(notes[name].split())}" if name in notes else ""))
    if parts.colours is not None:
        lines.append("palette:")
        lines += [f'  - "#{red:02x}{green:02x}{blue:02x}"' for red, green, blue in parts.colours]
    return "\n".join(lines) + "\n"


def keypoint_set_text(joints: KeypointSet) -> str:
    """The file of an own keypoint set."""
    lines = ["names:", *(f"  - {flow(name)}" for name in joints.keypoint_names)]
    if joints.limbs:
        lines += ["limbs:", *(f"  - {flow(list(limb))}" for limb in joints.limbs)]
    return "\n".join(lines) + "\n"
