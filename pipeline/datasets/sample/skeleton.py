"""Body proportions and forward kinematics.

Lengths are in body heights (an adult of average size is 1 from sole to crown). Camera frame: x to the image's right,
y down, z away from the camera. In a body's own frame x is its left, y down, and it looks along -z.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SIDES = (("left", 1.0), ("right", -1.0))


def rot_x(angle: float) -> np.ndarray:
    """(3, 3) rotation about x, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def rot_y(angle: float) -> np.ndarray:
    """(3, 3) rotation about y, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def rot_z(angle: float) -> np.ndarray:
    """(3, 3) rotation about z, radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


@dataclass(frozen=True)
class Proportions:
    """Lengths of the bones in body heights, and how thick the flesh on them is."""

    thigh: float = 0.245
    shin: float = 0.245
    torso: float = 0.285
    neck: float = 0.05
    head: float = 0.135
    upper_arm: float = 0.17
    forearm: float = 0.145
    hand: float = 0.085
    foot: float = 0.135
    shoulder: float = 0.108
    hip: float = 0.052
    girth: float = 1.0
    waist: float = 1.0


def draw_proportions(rng: np.random.Generator) -> Proportions:
    """Proportions of an adult, or (one time in eight) of a child with its large head and short legs."""
    jitter = rng.normal(1, 0.035, size=6)
    child = rng.random() < 0.125
    legs = 0.83 if child else 1.0
    female = rng.random() < 0.5
    return Proportions(
        thigh=0.245 * jitter[0] * legs,
        shin=0.245 * jitter[0] * legs,
        torso=0.285 * jitter[1],
        head=(0.19 if child else 0.135) * float(np.clip(jitter[2], 0.95, 1.06)),
        upper_arm=0.17 * jitter[3] * (0.9 if child else 1.0),
        forearm=0.145 * jitter[3] * (0.9 if child else 1.0),
        foot=0.135 * jitter[4],
        shoulder=(0.098 if female else 0.112) * jitter[5],
        hip=(0.056 if female else 0.05),
        girth=float(np.clip(rng.normal(1.0, 0.12), 0.82, 1.4)),
        waist=float(np.clip(rng.normal(0.92 if female else 1.04, 0.1), 0.8, 1.4)),
    )


@dataclass(frozen=True)
class LimbAngles:
    """Angles of an arm or a leg in radians: forward, away from the body, inwards about its own axis, and the bend."""

    flexion: float = 0.0
    abduction: float = 0.05
    rotation: float = 0.0
    bend: float = 0.1


@dataclass(frozen=True)
class Pose:
    """All joint angles in radians, and where the body faces: yaw 0 towards the camera, pi away from it."""

    arms: tuple[LimbAngles, LimbAngles]
    legs: tuple[LimbAngles, LimbAngles]
    lean: float = 0.0
    side_lean: float = 0.0
    twist: float = 0.0
    head_yaw: float = 0.0
    head_pitch: float = 0.0
    head_roll: float = 0.0
    yaw: float = 0.0
    roll: float = 0.0
    camera_pitch: float = 0.0


@dataclass
class Skeleton:
    """Joint positions (3,) and bone frames (3, 3), columns: the bone's left, down (along the bone), back."""

    proportions: Proportions
    joints: dict[str, np.ndarray] = field(default_factory=dict)
    frames: dict[str, np.ndarray] = field(default_factory=dict)


DOWN = np.array([0.0, 1.0, 0.0])


def _add_limb(
    skeleton: Skeleton,
    side: str,
    sign: float,
    root: np.ndarray,
    angles: LimbAngles,
    names: tuple[str, str, str],
    lengths: tuple[float, float],
    hinge: float,
) -> None:
    """Adds the two bones that hang on joint names[0]; hinge is -1 where the bend goes forward, 1 backward."""
    upper = root @ rot_z(-sign * angles.abduction) @ rot_x(-angles.flexion) @ rot_y(sign * angles.rotation)
    lower = upper @ rot_x(hinge * angles.bend)
    start = skeleton.joints[f"{side}-{names[0]}"]
    middle = start + upper @ DOWN * lengths[0]
    skeleton.joints[f"{side}-{names[1]}"] = middle
    skeleton.joints[f"{side}-{names[2]}"] = middle + lower @ DOWN * lengths[1]
    skeleton.frames[f"{side}-{names[0]}"] = upper
    skeleton.frames[f"{side}-{names[1]}"] = lower


def _add_head(skeleton: Skeleton, frame: np.ndarray) -> None:
    """Adds the joints of the head, which is an ellipsoid about the joint "head"."""
    size = skeleton.proportions.head
    joints = skeleton.joints
    joints["head"] = joints["neck"] + frame @ np.array([0.0, -0.40 * size, -0.05 * size])
    half = 0.5 * size
    for name, place in {
        "head-top": (0.0, -0.93, 0.0),
        "forehead": (0.0, -0.45, -0.72),
        "nose": (0.0, 0.16, -0.93),
        "left-eye": (0.27, -0.08, -0.74),
        "right-eye": (-0.27, -0.08, -0.74),
        "left-ear": (0.73, 0.03, 0.06),
        "right-ear": (-0.73, 0.03, 0.06),
    }.items():
        joints[name] = joints["head"] + frame @ (np.array(place) * half)
    skeleton.frames["head"] = frame


def pose_skeleton(proportions: Proportions, pose: Pose) -> Skeleton:
    """The skeleton in that pose, its pelvis at the origin of the camera frame."""
    skeleton = Skeleton(proportions)
    root = rot_x(pose.camera_pitch) @ rot_z(pose.roll) @ rot_y(pose.yaw)
    chest = root @ rot_x(pose.lean) @ rot_z(pose.side_lean) @ rot_y(pose.twist)
    head = chest @ rot_y(pose.head_yaw) @ rot_x(pose.head_pitch) @ rot_z(pose.head_roll)
    joints = skeleton.joints
    joints["pelvis"] = np.zeros(3)
    joints["thorax"] = chest @ np.array([0.0, -proportions.torso, 0.0])
    joints["neck"] = joints["thorax"] + chest @ np.array([0.0, -proportions.neck, -0.012])
    skeleton.frames.update(root=root, chest=chest)
    for (side, sign), arm, leg in zip(SIDES, pose.arms, pose.legs, strict=True):
        joints[f"{side}-shoulder"] = joints["thorax"] + chest @ np.array([sign * proportions.shoulder, 0.026, 0.0])
        joints[f"{side}-hip"] = root @ np.array([sign * proportions.hip, 0.0, 0.0])
        arm_lengths = (proportions.upper_arm, proportions.forearm)
        _add_limb(skeleton, side, sign, chest, arm, ("shoulder", "elbow", "wrist"), arm_lengths, -1)
        _add_limb(skeleton, side, sign, root, leg, ("hip", "knee", "ankle"), (proportions.thigh, proportions.shin), 1)
    _add_head(skeleton, head)
    return skeleton
