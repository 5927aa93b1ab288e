"""Keypoint sets: joints in their order, limbs, left/right swaps derived from the names, conversion between sets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Mapping

import numpy as np

from pipeline.taxonomy.sides import swap_index


@dataclass(frozen=True)
class KeypointSet:
    """Joints of a data set in their order, and the limbs that connect them."""

    name: str
    keypoint_names: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        swap_index(self.keypoint_names, f"keypoint set {self.name!r}")

    def __len__(self) -> int:
        return len(self.keypoint_names)

    @cached_property
    def hflip_index(self) -> np.ndarray:
        """(K,) int64: joint i of the mirrored person is joint hflip_index[i] of the original."""
        return swap_index(self.keypoint_names, self.name)

    @cached_property
    def limb_indices(self) -> tuple[tuple[int, int], ...]:
        """Limbs as pairs of joint indices."""
        return tuple((self.keypoint_names.index(a), self.keypoint_names.index(b)) for a, b in self.limbs)


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


def convert_keypoints(keypoints: np.ndarray, source: KeypointSet, target: KeypointSet) -> np.ndarray:
    """Keypoints of one set in the order of another: (..., K, 3) float32 -> (..., L, 3) float32.

    A joint passes by its name; one that `source` lacks is missing, (0, 0, 0). None is made up from others: what annotators call
    a pelvis or a thorax is not the middle of the hips or of the shoulders.

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
    return converted
