"""Draws poses: joint angles within what a body can do, and the direction in which it faces."""

from __future__ import annotations

from typing import Callable

import numpy as np

from pipeline.datasets.sample.skeleton import LimbAngles, Pose

_Pair = tuple[LimbAngles, LimbAngles]


def _angle(rng: np.random.Generator, low: float, high: float) -> float:
    """A uniform angle between two bounds in degrees, as radians."""
    return float(np.deg2rad(rng.uniform(low, high)))


def _limb(
    rng: np.random.Generator,
    flexion: tuple[float, float],
    abduction: tuple[float, float],
    rotation: tuple[float, float],
    bend: tuple[float, float],
) -> LimbAngles:
    """A limb whose angles lie in the given ranges, degrees."""
    return LimbAngles(_angle(rng, *flexion), _angle(rng, *abduction), _angle(rng, *rotation), _angle(rng, *bend))


def _hanging(rng: np.random.Generator) -> LimbAngles:
    return _limb(rng, (-12, 15), (4, 18), (-10, 30), (5, 30))


def _on_hip(rng: np.random.Generator) -> LimbAngles:
    return _limb(rng, (-25, -5), (30, 50), (50, 80), (75, 110))


def _raised(rng: np.random.Generator) -> LimbAngles:
    return _limb(rng, (-15, 15), (110, 170), (-20, 20), (5, 70))


def _spread(rng: np.random.Generator) -> LimbAngles:
    return _limb(rng, (-10, 20), (50, 95), (-20, 20), (5, 90))


def _forward(rng: np.random.Generator) -> LimbAngles:
    return _limb(rng, (40, 95), (0, 20), (-10, 30), (5, 60))


def _folded(rng: np.random.Generator) -> LimbAngles:
    return _limb(rng, (5, 40), (2, 20), (10, 55), (70, 130))


_ARMS: tuple[tuple[Callable[[np.random.Generator], LimbAngles], float], ...] = (
    (_hanging, 0.46),
    (_folded, 0.17),
    (_on_hip, 0.11),
    (_spread, 0.09),
    (_raised, 0.09),
    (_forward, 0.08),
)


def _arms(rng: np.random.Generator) -> _Pair:
    """Each arm for itself, but one time in three both alike."""
    weights = [weight for _, weight in _ARMS]
    first, second = rng.choice(len(_ARMS), size=2, p=weights)
    if rng.random() < 0.35:
        second = first
    return _ARMS[first][0](rng), _ARMS[second][0](rng)


def _standing(rng: np.random.Generator) -> Pose:
    legs = [_limb(rng, (-6, 12), (0, 12), (-18, 0), (0, 14)) for _ in range(2)]
    return Pose(arms=_arms(rng), legs=(legs[0], legs[1]), lean=_angle(rng, -4, 8))


def _walking(rng: np.random.Generator) -> Pose:
    stride, swing = rng.uniform(12, 34), rng.uniform(10, 35)
    ahead = _limb(rng, (stride - 4, stride + 4), (0, 5), (-8, 0), (2, 16))
    behind = _limb(rng, (-0.8 * stride - 4, -0.8 * stride), (0, 5), (-8, 0), (10, 45))
    arm_back = _limb(rng, (-swing - 5, -swing), (3, 12), (0, 15), (8, 35))
    arm_ahead = _limb(rng, (swing, swing + 8), (3, 12), (0, 15), (15, 60))
    pose = Pose(arms=(arm_back, arm_ahead), legs=(ahead, behind), lean=_angle(rng, 0, 8))
    return pose if rng.random() < 0.5 else Pose(arms=pose.arms[::-1], legs=pose.legs[::-1], lean=pose.lean)


def _running(rng: np.random.Generator) -> Pose:
    ahead, behind = _limb(rng, (45, 75), (0, 6), (-8, 0), (50, 90)), _limb(rng, (-30, -10), (0, 6), (-8, 0), (30, 90))
    arms = _limb(rng, (-50, -25), (5, 15), (0, 20), (70, 110)), _limb(rng, (25, 50), (5, 15), (10, 30), (70, 110))
    legs = (ahead, behind)
    lean = _angle(rng, 5, 18)
    return Pose(arms=arms, legs=legs, lean=lean) if rng.random() < 0.5 else Pose(arms[::-1], legs[::-1], lean=lean)


def _sitting(rng: np.random.Generator) -> Pose:
    legs = [_limb(rng, (70, 95), (4, 22), (-10, 5), (70, 105)) for _ in range(2)]
    return Pose(arms=_arms(rng), legs=(legs[0], legs[1]), lean=_angle(rng, -8, 18))


def _crouching(rng: np.random.Generator) -> Pose:
    legs = [_limb(rng, (65, 115), (8, 30), (-15, 0), (85, 130)) for _ in range(2)]
    return Pose(arms=_arms(rng), legs=(legs[0], legs[1]), lean=_angle(rng, 15, 40))


def _kicking(rng: np.random.Generator) -> Pose:
    stand, kick = _limb(rng, (-5, 5), (0, 8), (-12, 0), (2, 15)), _limb(rng, (15, 80), (0, 35), (-20, 5), (5, 70))
    legs = (stand, kick) if rng.random() < 0.5 else (kick, stand)
    return Pose(arms=_arms(rng), legs=legs, lean=_angle(rng, -10, 12))


def _straddling(rng: np.random.Generator) -> Pose:
    legs = [_limb(rng, (-5, 25), (14, 35), (-20, 0), (5, 40)) for _ in range(2)]
    return Pose(arms=_arms(rng), legs=(legs[0], legs[1]), lean=_angle(rng, -5, 30))


_POSES: tuple[tuple[Callable[[np.random.Generator], Pose], float], ...] = (
    (_standing, 0.46),
    (_walking, 0.22),
    (_running, 0.05),
    (_sitting, 0.08),
    (_crouching, 0.05),
    (_kicking, 0.06),
    (_straddling, 0.08),
)


def _draw_yaw(rng: np.random.Generator) -> float:
    """Facing the camera 2 of 5 times, away from it 1 of 5, else any direction."""
    kind = rng.random()
    if kind < 0.4:
        return float(np.clip(rng.normal(0, 0.35), -0.9, 0.9))
    if kind < 0.6:
        return float(np.pi + np.clip(rng.normal(0, 0.35), -0.9, 0.9))
    return float(rng.uniform(-np.pi, np.pi))


def draw_pose(rng: np.random.Generator, yaw: float | None = None) -> Pose:
    """A random pose; `yaw` in radians fixes the direction in which the body faces."""
    weights = [weight for _, weight in _POSES]
    base = _POSES[rng.choice(len(_POSES), p=weights)][0](rng)
    rare_roll = rng.random() < 0.04
    return Pose(
        arms=base.arms,
        legs=base.legs,
        lean=base.lean,
        side_lean=_angle(rng, -9, 9),
        twist=_angle(rng, -15, 15),
        head_yaw=float(np.clip(rng.normal(0, 0.35), -1.0, 1.0)),
        head_pitch=_angle(rng, -14, 20) - 0.3 * base.lean,
        head_roll=_angle(rng, -10, 10),
        yaw=_draw_yaw(rng) if yaw is None else yaw,
        roll=_angle(rng, -80, 80) if rare_roll else _angle(rng, -4, 4),
        camera_pitch=_angle(rng, 0, 16),
    )
