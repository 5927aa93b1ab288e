"""Maps between label sets: what a class is called in another set, and which classes have no place there.

A class passes by its name; the tables below hold only what does not. A class without a counterpart becomes "ignore" (255):
nothing is invented. CIHP's torso-skin and LIP's jumpsuits share the id 10 and nothing else.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping

import numpy as np

from pipeline.taxonomy.label_sets import LabelSet

_TO_PASCAL = {
    **dict.fromkeys(("hat", "hair", "sunglasses", "face"), "head"),
    **dict.fromkeys(("upper-clothes", "dress", "scarf", "skirt"), "torso"),
    "glove": "lower-arm",
    **dict.fromkeys(("socks", "left-shoe", "right-shoe"), "lower-leg"),
    # On more than one of PASCAL's parts: sleeves and chest, thigh and shin, upper and lower arm.
    **dict.fromkeys(("coat", "pants", "left-arm", "right-arm", "left-leg", "right-leg"), "ignore"),
}
"""As in Graphonomy's published CIHP-PASCAL table, for the classes that it gives to one part alone."""

LABEL_MAPS: Mapping[tuple[str, str], Mapping[str, str]] = MappingProxyType(
    {
        ("atr", "lip"): {"belt": "ignore", "bag": "ignore"},
        ("cihp", "lip"): {"torso-skin": "ignore"},
        ("lip", "cihp"): {"jumpsuits": "ignore"},
        ("lip", "pascal"): {**_TO_PASCAL, "jumpsuits": "ignore"},
        ("cihp", "pascal"): {**_TO_PASCAL, "torso-skin": "torso"},
    }
)
"""(source, target) -> class of the source -> class of the target, or "ignore"."""


def label_lut(source: LabelSet, target: LabelSet, renamed: Mapping[str, str] | None = None) -> np.ndarray:
    """(256,) uint8 table that takes ids of one set to those of another, by LABEL_MAPS where it knows the pair.

    Args:
        source, target: the sets.
        renamed: class of the source -> class of the target or "ignore"; goes before LABEL_MAPS.

    Raises:
        ValueError: a class of the source has no place in the target, or `renamed` names a class that is not there.
    """
    return source.lut_to(target, {**LABEL_MAPS.get((source.name, target.name), {}), **(renamed or {})})
