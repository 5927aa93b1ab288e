"""A dressed person as solids in space, with its named joints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.datasets.sample.garments import carried_solids, skirt_solids
from pipeline.datasets.sample.head import head_solids
from pipeline.datasets.sample.limbs import arm_solids, leg_solids
from pipeline.datasets.sample.outfit import draw_outfit
from pipeline.datasets.sample.poses import draw_pose
from pipeline.datasets.sample.shapes import Solid
from pipeline.datasets.sample.skeleton import SIDES, Skeleton, draw_proportions, pose_skeleton
from pipeline.datasets.sample.torso import torso_solid

_COVERS = {
    "nose": 0.02, "eye": 0.022, "ear": 0.022, "forehead": 0.045, "head-top": 0.09, "neck": 0.09, "thorax": 0.12,
    "pelvis": 0.14, "shoulder": 0.09, "elbow": 0.06, "wrist": 0.045, "hip": 0.105, "knee": 0.085, "ankle": 0.06,
}  # fmt: skip
"""How much flesh and cloth may lie before a joint that still counts as visible, body heights."""


@dataclass(frozen=True)
class Figure:
    """One person in the camera frame, in body heights.

    joints: name -> ((3,) position, depth of flesh and cloth that may lie before it when it is visible).
    """

    solids: tuple[Solid, ...]
    joints: dict[str, tuple[np.ndarray, float]]

    @cached_property
    def extent(self) -> np.ndarray:
        """(2, 2) lowest and highest (x, y) of what is drawn."""
        boxes = np.stack([solid.extent() for solid in self.solids])
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])


def _named_joints(skeleton: Skeleton) -> dict[str, tuple[np.ndarray, float]]:
    """The joints that label sets know, with their covers."""
    named = {}
    for name, place in skeleton.joints.items():
        bare = name.removeprefix("left-").removeprefix("right-")
        if bare in _COVERS:
            named[name] = (place, _COVERS[bare])
    return named


def draw_figure(rng: np.random.Generator, allowed: frozenset[str], yaw: float | None = None) -> Figure:
    """A random person; `allowed` names the fine parts it may show, `yaw` (radians) fixes where it faces."""
    skeleton = pose_skeleton(draw_proportions(rng), draw_pose(rng, yaw))
    outfit = draw_outfit(rng, allowed)
    solids: list[Solid] = [torso_solid(skeleton, outfit), *head_solids(skeleton, outfit)]
    for side, sign in SIDES:
        solids += arm_solids(skeleton, outfit, side, sign)
        solids += leg_solids(skeleton, outfit, side, sign)
    solids += skirt_solids(skeleton, outfit) + carried_solids(skeleton, outfit)
    return Figure(tuple(solids), _named_joints(skeleton))
