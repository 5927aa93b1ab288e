"""The fine parts that a drawn person consists of, and their ids in the published label sets."""

from __future__ import annotations

import numpy as np

from pipeline.taxonomy import LabelSet, label_set

PART_NAMES: tuple[str, ...] = (*label_set("lip").part_names, "torso-skin", "belt", "bag")
"""Names of the fine parts; the position is the id in `SampleScene.parts`. A superset of LIP, CIHP and ATR."""

PART_IDS = {name: index for index, name in enumerate(PART_NAMES)}
BODY_IDS = {name: index for index, name in enumerate(label_set("pascal").part_names)}

_FALLBACK = {
    "torso-skin": "face",
    "belt": "pants",
    "bag": "background",
    "jumpsuits": "upper-clothes",
    "coat": "upper-clothes",
    "glove": "upper-clothes",
    "socks": "pants",
}


def parts_lut(target: LabelSet) -> np.ndarray:
    """(256,) uint8 table: fine part id -> id in `target` (by name, else the nearest class that it has)."""
    lut = np.zeros(256, dtype=np.uint8)
    for index, name in enumerate(PART_NAMES):
        lut[index] = target.id(name if name in target.part_names else _FALLBACK[name])
    return lut


def drawable_parts(target: LabelSet) -> frozenset[str]:
    """Names of the fine parts that people of a data set with that label set may show."""
    return frozenset(name for name in PART_NAMES if name in target.part_names) | {"face"}
