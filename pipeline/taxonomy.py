"""Label sets and keypoint sets: ids, names, left/right swaps derived from the names, palettes, maps between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Mapping

import numpy as np

IGNORE = 255
"""Id of pixels that belong to no class and weigh nothing."""


def _mirrored(name: str) -> str:
    """The name with its left and right exchanged: left-arm -> right-arm; itself when it has no side."""
    for ours, other in (("left-", "right-"), ("right-", "left-")):
        if name.startswith(ours):
            return other + name[len(ours) :]
    return name


def _swap_index(names: tuple[str, ...], what: str) -> np.ndarray:
    """(N,) int64: index i of the mirrored image's entry that goes to place i.

    Raises:
        ValueError: a left name without its right one, or the other way round.
    """
    missing = [name for name in names if _mirrored(name) not in names]
    if missing:
        raise ValueError(
            f"{what}: {missing[0]!r} has no counterpart {_mirrored(missing[0])!r}; name both sides or none"
        )
    return np.array([names.index(_mirrored(name)) for name in names], dtype=np.int64)


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


@dataclass(frozen=True)
class LabelSet:
    """Part classes of a data set; the position of a name is its id, 0 is the background, 255 is ignored."""

    name: str
    part_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 2 <= len(self.part_names) <= IGNORE:
            raise ValueError(f"label set {self.name!r}: {len(self.part_names)} classes, expected 2 to {IGNORE}")
        if len(set(self.part_names)) != len(self.part_names):
            raise ValueError(f"label set {self.name!r}: class names are not unique: {self.part_names}")
        _swap_index(self.part_names, f"label set {self.name!r}")

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
        lut[: len(self)] = _swap_index(self.part_names, self.name)
        return lut

    @cached_property
    def palette(self) -> np.ndarray:
        """(256, 3) uint8 RGB."""
        return voc_palette()

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


@dataclass(frozen=True)
class KeypointSet:
    """Joints of a data set in their order, and the limbs that connect them."""

    name: str
    keypoint_names: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        _swap_index(self.keypoint_names, f"keypoint set {self.name!r}")

    def __len__(self) -> int:
        return len(self.keypoint_names)

    @cached_property
    def hflip_index(self) -> np.ndarray:
        """(K,) int64: joint i of the mirrored person is joint hflip_index[i] of the original."""
        return _swap_index(self.keypoint_names, self.name)

    @cached_property
    def limb_indices(self) -> tuple[tuple[int, int], ...]:
        """Limbs as pairs of joint indices."""
        return tuple((self.keypoint_names.index(a), self.keypoint_names.index(b)) for a, b in self.limbs)


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

_LIMBS = tuple(
    (f"{side}-{a}", f"{side}-{b}")
    for side in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
)
_LIP_LIMBS = (
    *_LIMBS,
    ("head-top", "neck"),
    ("neck", "thorax"),
    ("thorax", "pelvis"),
    ("thorax", "left-shoulder"),
    ("thorax", "right-shoulder"),
    ("pelvis", "left-hip"),
    ("pelvis", "right-hip"),
)
_COCO_LIMBS = (
    *_LIMBS,
    ("left-shoulder", "right-shoulder"),
    ("left-hip", "right-hip"),
    ("left-shoulder", "left-hip"),
    ("right-shoulder", "right-hip"),
    ("nose", "left-eye"),
    ("nose", "right-eye"),
    ("left-eye", "left-ear"),
    ("right-eye", "right-ear"),
)
_PASCAL_LIMBS = (
    *_LIMBS,
    ("forehead", "neck"),
    ("neck", "left-shoulder"),
    ("neck", "right-shoulder"),
    ("neck", "left-hip"),
    ("neck", "right-hip"),
)

KEYPOINT_SETS: Mapping[str, KeypointSet] = MappingProxyType(
    {
        keypoint_set.name: keypoint_set
        for keypoint_set in (
            KeypointSet(
                "lip16",
                (
                    "right-ankle", "right-knee", "right-hip", "left-hip", "left-knee", "left-ankle", "pelvis", "thorax",
                    "neck", "head-top", "right-wrist", "right-elbow", "right-shoulder", "left-shoulder", "left-elbow",
                    "left-wrist",
                ),
                _LIP_LIMBS,
            ),
            KeypointSet(
                "coco17",
                (
                    "nose", "left-eye", "right-eye", "left-ear", "right-ear", "left-shoulder", "right-shoulder",
                    "left-elbow", "right-elbow", "left-wrist", "right-wrist", "left-hip", "right-hip", "left-knee",
                    "right-knee", "left-ankle", "right-ankle",
                ),
                _COCO_LIMBS,
            ),
            KeypointSet(
                "pascal14",
                (
                    "forehead", "neck", "left-shoulder", "left-elbow", "left-wrist", "left-hip", "left-knee",
                    "left-ankle", "right-shoulder", "right-elbow", "right-wrist", "right-hip", "right-knee",
                    "right-ankle",
                ),
                _PASCAL_LIMBS,
            ),
        )
    }
)  # fmt: skip

_MIDPOINTS = MappingProxyType({"pelvis": ("left-hip", "right-hip"), "thorax": ("left-shoulder", "right-shoulder")})


def convert_keypoints(keypoints: np.ndarray, source: KeypointSet, target: KeypointSet) -> np.ndarray:
    """Keypoints of one set in the order of another: (..., K, 3) float32 -> (..., L, 3) float32.

    A joint passes by its name. The pelvis and the thorax, where `source` lacks them, are the middle of the hips and
    of the shoulders, given only when both are (v is the smaller of the two). Any other joint stays (0, 0, 0).

    Raises:
        ValueError: the shape is not (..., K, 3).
    """
    keypoints = np.asarray(keypoints, dtype=np.float32)
    if keypoints.shape[-2:] != (len(source), 3):
        raise ValueError(f"keypoints: shape {keypoints.shape}, expected (..., {len(source)}, 3) for {source.name!r}")
    if source.name == target.name:
        return keypoints.copy()
    converted = np.zeros((*keypoints.shape[:-2], len(target), 3), dtype=np.float32)
    for place, name in enumerate(target.keypoint_names):
        if name in source.keypoint_names:
            converted[..., place, :] = keypoints[..., source.keypoint_names.index(name), :]
        elif name in _MIDPOINTS and all(parent in source.keypoint_names for parent in _MIDPOINTS[name]):
            left, right = (keypoints[..., source.keypoint_names.index(parent), :] for parent in _MIDPOINTS[name])
            both = np.minimum(left[..., 2], right[..., 2]) > 0
            converted[..., place, :2] = np.where(both[..., None], (left[..., :2] + right[..., :2]) / 2, 0)
            converted[..., place, 2] = np.where(both, np.minimum(left[..., 2], right[..., 2]), 0)
    return converted


def label_set(name: str) -> LabelSet:
    """The label set of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in LABEL_SETS:
        raise ValueError(f"label set {name!r} is unknown; known are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]


def keypoint_set(name: str) -> KeypointSet:
    """The keypoint set of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in KEYPOINT_SETS:
        raise ValueError(f"keypoint set {name!r} is unknown; known are {', '.join(KEYPOINT_SETS)}")
    return KEYPOINT_SETS[name]
