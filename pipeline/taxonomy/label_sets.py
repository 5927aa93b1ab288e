"""Label sets: ids, names, left/right swaps derived from the names, palettes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Mapping

import numpy as np

from pipeline.taxonomy.sides import swap_index

IGNORE = 255
"""Id of pixels that belong to no class and weigh nothing."""


def voc_palette(count: int = 256) -> np.ndarray:
    """(count, 3) uint8 RGB: PASCAL VOC's colour table, id bits dealt to the high bits of R, G and B in turn."""
    palette = np.zeros((count, 3), dtype=np.uint8)
    for index in range(count):
        rest = index
        for bit in range(7, -1, -1):
            for channel in range(3):
                palette[index, channel] |= ((rest >> channel) & 1) << bit
            rest >>= 3
    return palette


def class_key(name: str) -> str:
    """The spelling under which names of classes are compared: `Left arm`, `left_arm` and `left-arm` are one name."""
    return name.strip().lower().replace("_", "-").replace(" ", "-")


@dataclass(frozen=True)
class LabelSet:
    """Part classes of a data set; the position of a name is its id, 0 is the background, 255 is ignored.

    Attributes:
        colours: RGB of each class, where the set has colours of its own.
    """

    name: str
    part_names: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...] | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.part_names) <= IGNORE:
            raise ValueError(f"label set {self.name!r}: {len(self.part_names)} classes, expected 2 to {IGNORE}")
        if len(set(self.part_names)) != len(self.part_names):
            raise ValueError(f"label set {self.name!r}: class names are not unique: {self.part_names}")
        swap_index(self.part_names, f"label set {self.name!r}")
        if self.colours is not None and len(set(self.colours)) != len(self.part_names):
            raise ValueError(
                f"label set {self.name!r}: {len(set(self.colours))} different colours for {len(self.part_names)} classes"
            )

    def __len__(self) -> int:
        return len(self.part_names)

    def id(self, part_name: str) -> int:
        """Id of a class name.

        Raises:
            ValueError: the set has no such class.
        """
        if part_name not in self.part_names:
            raise ValueError(f"label set {self.name!r} has no class {part_name!r}; it has {', '.join(self.part_names)}")
        return self.part_names.index(part_name)

    @cached_property
    def hflip_lut(self) -> np.ndarray:
        """(256,) uint8: the id that a pixel of id i has in the mirrored image."""
        lut = np.arange(256, dtype=np.uint8)
        lut[: len(self)] = swap_index(self.part_names, self.name)
        return lut

    @cached_property
    def palette(self) -> np.ndarray:
        """(256, 3) uint8 RGB: the set's own colours, PASCAL VOC's where it has none."""
        palette = voc_palette()
        if self.colours is not None:
            palette[: len(self)] = self.colours
        return palette

    def lut_to(self, other: LabelSet, renamed: Mapping[str, str] | None = None) -> np.ndarray:
        """(256,) uint8 table that takes this set's ids to those of `other`.

        Args:
            other: the target set.
            renamed: our class name -> name in `other` (or "ignore"), for classes that `other` lacks.

        Raises:
            ValueError: a class of ours has no namesake in `other` and no entry in `renamed`, or `renamed` names a class
                that we lack.
        """
        for name in renamed or {}:
            self.id(name)
        lut = np.full(256, IGNORE, dtype=np.uint8)
        for index, name in enumerate(self.part_names):
            target = (renamed or {}).get(name, name)
            if target == "ignore":
                continue
            if target not in other.part_names:
                raise ValueError(
                    f"label set {self.name!r}: class {name!r} has no place in {other.name!r}; map it to a class or to 'ignore'"
                )
            lut[index] = other.id(target)
        return lut


_LIP = (
    "background", "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants",
    "jumpsuits", "scarf", "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe",
)  # fmt: skip
_ATR = (
    "background", "hat", "hair", "sunglasses", "upper-clothes", "skirt", "pants", "dress", "belt", "left-shoe",
    "right-shoe", "face", "left-leg", "right-leg", "left-arm", "right-arm", "bag", "scarf",
)  # fmt: skip
_MHP = (
    "background", "cap-hat", "helmet", "face", "hair", "left-arm", "right-arm", "left-hand", "right-hand", "protector",
    "bikini-bra", "jacket", "t-shirt", "polo-shirt", "sweater", "singlet", "torso-skin", "pants", "shorts", "skirt",
    "stockings", "socks", "left-boot", "right-boot", "left-shoe", "right-shoe", "left-highheel", "right-highheel",
    "left-sandal", "right-sandal", "left-leg", "right-leg", "left-foot", "right-foot", "coat", "dress", "robe",
    "jumpsuit", "other-full-body-clothes", "headwear", "backpack", "ball", "bats", "belt", "bottle", "carrybag",
    "cases", "sunglasses", "eyewear", "glove", "scarf", "umbrella", "wallet-purse", "watch", "wristband", "tie",
    "other-accessory", "other-upper-body-clothes", "other-lower-body-clothes",
)  # fmt: skip

LABEL_SETS: Mapping[str, LabelSet] = MappingProxyType(
    {
        label_set.name: label_set
        for label_set in (
            LabelSet("lip", _LIP),
            LabelSet("cihp", tuple("torso-skin" if name == "jumpsuits" else name for name in _LIP)),
            LabelSet("atr", _ATR),
            LabelSet("pascal", ("background", "head", "torso", "upper-arm", "lower-arm", "upper-leg", "lower-leg")),
            LabelSet("mhp", _MHP),
            LabelSet("person", ("background", "person")),
        )
    }
)
