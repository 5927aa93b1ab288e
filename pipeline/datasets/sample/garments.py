"""What hangs from the body: skirts, the lower part of dresses and coats, scarves and bags."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.sample.materials import Material
from pipeline.datasets.sample.outfit import Outfit
from pipeline.datasets.sample.shapes import TRANSPARENT, Paint, Solid, Tube
from pipeline.datasets.sample.skeleton import Skeleton
from pipeline.datasets.sample.torso import body_frame

_DROP = 0.085
"""From the waist, where skirts begin, to the hip joints, body heights."""


def _leg_point(skeleton: Skeleton, side: str, share: float) -> np.ndarray:
    """The place on a leg at that share: 0 hip, 1 knee, 2 ankle."""
    hip, knee, ankle = (skeleton.joints[f"{side}-{name}"] for name in ("hip", "knee", "ankle"))
    return hip + (knee - hip) * share if share <= 1 else knee + (ankle - knee) * (share - 1)


def _bent(skeleton: Skeleton) -> bool:
    """Whether a knee is bent so far that long cloth would break there."""
    for side in ("left", "right"):
        thigh, shin = skeleton.frames[f"{side}-hip"][:, 1], skeleton.frames[f"{side}-knee"][:, 1]
        if thigh @ shin < 0.75:
            return True
    return False


def _paint_opening(is_open: bool) -> Paint:
    """Index 0, but a gap in front of an open coat that widens downwards."""

    def paint(t: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        gap = is_open & (front > 0) & (np.abs(left) < 0.3 + 0.15 * t)
        return np.where(gap, TRANSPARENT, 0).astype(np.uint8)

    return paint


def _hanging(skeleton: Skeleton, cloth: Material, length: float, flare: float, swell: float, is_open: bool) -> Tube:
    """A flared tube from the waist around both legs down to that share of them."""
    length = min(length, 0.95) if _bent(skeleton) else length
    left_hem, right_hem = (_leg_point(skeleton, side, length) for side in ("left", "right"))
    root, girth = skeleton.frames["root"], skeleton.proportions.girth**0.7
    start = skeleton.joints["pelvis"] + skeleton.frames["chest"] @ np.array([0, -_DROP, 0])
    end = (left_hem + right_hem) / 2
    frame = body_frame(root[:, 0], end - start)
    spread = np.abs((left_hem - right_hem) @ frame) / 2
    leg = (0.06 if length < 0.6 else 0.046) * girth
    reach = float(np.linalg.norm(end - start))
    hips = min(_DROP / reach, 0.9)
    knees = hips + (1 - hips) / length if length > 1 else 1.01
    hip_a, hip_b = 0.099 * skeleton.proportions.hip / 0.052 * girth * swell, 0.078 * girth * swell
    hem_a, hem_b = (float(spread[axis]) + leg + 0.012 + flare for axis in (0, 2))
    waist = 0.086 * skeleton.proportions.waist * girth * swell
    return Tube(
        start,
        end,
        frame,
        (0, hips, 1),
        (waist, hip_a, max(hem_a, hip_a * 0.86)),
        (0.062 * skeleton.proportions.waist * girth * swell, hip_b, max(hem_b, hip_b * 0.8)),
        (cloth,),
        ((min(hips + 0.1, 1.0), "torso"), (knees, "upper-leg"), (1.02, "lower-leg")),
        (0.01, 0.0),
        _paint_opening(is_open),
    )


def skirt_solids(skeleton: Skeleton, outfit: Outfit) -> list[Solid]:
    """The skirt (or the skirt of the dress) and the skirt of the coat."""
    solids: list[Solid] = []
    if outfit.skirt is not None:
        solids.append(_hanging(skeleton, outfit.skirt, outfit.skirt_length, outfit.skirt_flare, 1.03, False))
    if outfit.coat is not None:
        solids.append(_hanging(skeleton, outfit.coat, outfit.coat_length, 0.025, 1.13, outfit.coat_open))
    return solids


def _scarf(skeleton: Skeleton, scarf: Material) -> list[Solid]:
    """A roll about the neck and one end down the chest."""
    joints, chest = skeleton.joints, skeleton.frames["chest"]
    low = joints["thorax"] + chest @ np.array([0, -0.004, -0.004])
    high = joints["neck"] + chest @ np.array([0, 0.004, -0.004])
    tail = joints["thorax"] + chest @ np.array([0.03, 0.02, -0.072])
    roll = Tube(
        low,
        high,
        chest,
        (0, 0.5, 1),
        (0.066, 0.068, 0.056),
        (0.06, 0.062, 0.052),
        (scarf,),
        ((1.0, "torso"),),
        (0.016, 0.012),
    )
    width = (0.02, 0.026, 0.03)
    end = tail + chest @ np.array([0.012, 0.17, -0.012])
    strip = Tube(tail, end, chest, (0, 0.5, 1), width, (0.014,) * 3, (scarf,), ((1.0, "torso"),), (0.02, 0.0))
    return [roll, strip]


def _bag(skeleton: Skeleton, bag: Material, in_hand: bool) -> list[Solid]:
    """A bag at the right hip, or one that hangs straight down from the left hand."""
    root = skeleton.frames["root"]
    if in_hand:
        top = skeleton.joints["left-wrist"] + np.array([0, 0.085, 0.0])
    else:
        top = skeleton.joints["pelvis"] + root @ np.array([-0.125, -0.035, -0.01])
    down = np.array([0, 0.115, 0.0])
    body = ((1.0, "background"),)
    sack = Tube(
        top,
        top + down,
        body_frame(root[:, 0], down),
        (0, 0.1, 1),
        (0.02, 0.03, 0.034),
        (0.06, 0.066, 0.074),
        (bag,),
        body,
        (0.01, 0.01),
    )
    if not in_hand:
        return [sack]
    handles = [
        Tube(
            top + root @ np.array([0, 0, sign * 0.045]), skeleton.joints["left-wrist"] + np.array([0, 0.04, 0.0]),
            root, (0, 1), (0.006, 0.006), (0.006, 0.006), (bag,), body, (0.006, 0.006),
        )
        for sign in (1, -1)
    ]  # fmt: skip
    return [sack, *handles]


def carried_solids(skeleton: Skeleton, outfit: Outfit) -> list[Solid]:
    """Scarf and bag."""
    solids: list[Solid] = []
    if outfit.scarf is not None:
        solids += _scarf(skeleton, outfit.scarf)
    if outfit.bag is not None:
        solids += _bag(skeleton, outfit.bag, outfit.bag_in_hand)
    return solids
