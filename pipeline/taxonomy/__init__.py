"""Label sets and keypoint sets: ids, names, left/right swaps derived from the names, palettes, maps between them."""

from __future__ import annotations

from pathlib import Path

from pipeline.taxonomy.files import read_keypoint_set, read_label_map, read_label_set
from pipeline.taxonomy.keypoint_sets import KEYPOINT_SETS, KeypointSet, convert_keypoints
from pipeline.taxonomy.label_sets import IGNORE, LABEL_SETS, LabelSet, class_key, voc_palette
from pipeline.taxonomy.maps import LABEL_MAPS, label_lut

_FILE_ENDINGS = (".yaml", ".yml")


def label_set(name: str) -> LabelSet:
    """The label set of that name, or of that YAML file.

    Raises:
        ValueError: there is none, or the file is no label set.
    """
    if name.endswith(_FILE_ENDINGS):
        return read_label_set(Path(name))
    if name not in LABEL_SETS:
        raise ValueError(f"label set {name!r} is unknown; known are {', '.join(LABEL_SETS)}, or give a .yaml file")
    return LABEL_SETS[name]


def keypoint_set(name: str) -> KeypointSet:
    """The keypoint set of that name, or of that YAML file.

    Raises:
        ValueError: there is none, or the file is no keypoint set.
    """
    if name.endswith(_FILE_ENDINGS):
        return read_keypoint_set(Path(name))
    if name not in KEYPOINT_SETS:
        raise ValueError(
            f"keypoint set {name!r} is unknown; known are {', '.join(KEYPOINT_SETS)}, or give a .yaml file"
        )
    return KEYPOINT_SETS[name]


__all__ = [
    "IGNORE",
    "KEYPOINT_SETS",
    "LABEL_MAPS",
    "LABEL_SETS",
    "KeypointSet",
    "LabelSet",
    "class_key",
    "convert_keypoints",
    "keypoint_set",
    "label_lut",
    "label_set",
    "read_label_map",
    "voc_palette",
]
