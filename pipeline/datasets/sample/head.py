"""The solids of a head: skull with a face painted on it, ears, nose, hair, hat and glasses."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.sample.materials import Material
from pipeline.datasets.sample.outfit import Outfit
from pipeline.datasets.sample.shapes import TRANSPARENT, Ellipsoid, Paint, Solid, Tube
from pipeline.datasets.sample.skeleton import Skeleton

_WIDTH, _DEPTH = 0.74, 0.88


def _scaled(colour: tuple[float, float, float], *factors: float) -> tuple[float, float, float]:
    """A colour with its channels multiplied (one factor for all, or three)."""
    red, green, blue = np.clip(np.array(colour) * np.array(factors), 0, 255)
    return float(red), float(green), float(blue)


def _paint_face(up: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
    """0 skin, 1 eye white, 2 dark (pupils, brows), 3 lips, 4 shade under nose, 5 beard."""
    side = np.abs(left)
    ahead = front > 0.1
    paint = np.zeros(len(up), dtype=np.uint8)
    paint[ahead & (up < -0.42) & (up > -1.2) & (side < 0.75)] = 5
    paint[ahead & (side < 0.16) & (np.abs(up + 0.26) < 0.05)] = 4
    paint[ahead & ((left / 0.3) ** 2 + ((up + 0.5) / 0.085) ** 2 < 1)] = 3
    eye = ((side - 0.36) / 0.2) ** 2 + ((up - 0.08) / 0.1) ** 2
    paint[ahead & (eye < 1)] = 1
    paint[ahead & (((side - 0.36) / 0.1) ** 2 + ((up - 0.08) / 0.1) ** 2 < 1)] = 2
    paint[ahead & (np.abs(side - 0.37) < 0.22) & (np.abs(up - 0.27 + 0.3 * (side - 0.37) ** 2) < 0.045)] = 2
    return paint


def _skull(skeleton: Skeleton, outfit: Outfit) -> list[Solid]:
    """Skull with the face, nose and ears."""
    centre, frame, half = skeleton.joints["head"], skeleton.frames["head"], skeleton.proportions.head / 2
    skin = outfit.skin
    dark = _scaled(outfit.hair.colour, 0.75)
    face = tuple(
        Material("face", colour)
        for colour in (
            skin,
            (236.0, 232.0, 226.0),
            dark if np.mean(dark) < 120 else (90.0, 66.0, 50.0),
            _scaled(skin, 0.82, 0.58, 0.56),
            _scaled(skin, 0.72),
            _scaled(outfit.hair.colour, 0.9) if outfit.beard else skin,
        )
    )
    flesh = (Material("face", _scaled(skin, 1.03)),)
    solids: list[Solid] = [
        Ellipsoid(centre, frame, (_WIDTH * half, half, _DEPTH * half), face, "head", _paint_face),
        Ellipsoid(
            centre + frame @ (np.array([0, 0.1, -0.86]) * half),
            frame,
            (0.13 * half, 0.22 * half, 0.16 * half),
            flesh,
            "head",
        ),
    ]
    for sign in (1, -1):
        ear = centre + frame @ (np.array([sign * 0.72, 0.04, 0.08]) * half)
        solids.append(Ellipsoid(ear, frame, (0.09 * half, 0.24 * half, 0.16 * half), flesh, "head"))
    return solids


def _paint_hair(style: str) -> Paint:
    """A paint function that leaves the face free: index 0 hair, else transparent."""
    front_edge, low_edge = {
        "short": (-0.02, -0.45),
        "bun": (0.02, -0.5),
        "ponytail": (0.02, -0.5),
        "bob": (0.3, -1.1),
        "long": (0.3, -1.1),
        "afro": (0.25, -0.75),
    }[style]

    def paint(up: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        top = up > 0.52 + 0.12 * np.maximum(front, 0) - 0.25 * left * left
        rear = (front < front_edge) & (up > low_edge)
        temple = (front < 0.5) & (up > 0.12)
        return np.where(top | rear | temple, 0, TRANSPARENT).astype(np.uint8)

    return paint


def _hair(skeleton: Skeleton, outfit: Outfit) -> list[Solid]:
    """The cap of hair on the skull and what hangs from it."""
    if outfit.hair_style == "bald":
        return []
    centre, frame, half = skeleton.joints["head"], skeleton.frames["head"], skeleton.proportions.head / 2
    material = (outfit.hair,)
    swell = 1.42 if outfit.hair_style == "afro" else 1.12
    radii = (_WIDTH * half * swell, half * (1.28 if swell > 1.2 else 1.06), _DEPTH * half * (swell - 0.03))
    middle = centre + frame @ (np.array([0, -0.06, 0.05]) * half)
    solids: list[Solid] = [Ellipsoid(middle, frame, radii, material, "head", _paint_hair(outfit.hair_style))]
    if outfit.hair_style in ("bun", "ponytail"):
        bun = centre + frame @ (np.array([0, -0.55, 0.95]) * half)
        solids.append(Ellipsoid(bun, frame, (0.36 * half, 0.36 * half, 0.32 * half), material, "head"))
    if outfit.hair_style in ("long", "ponytail", "bob"):
        solids.append(_hanging_hair(skeleton, outfit))
    return solids


def _hanging_hair(skeleton: Skeleton, outfit: Outfit) -> Tube:
    """Hair down the back of the head, to the jaw, or over the shoulder blades."""
    centre, frame, half = skeleton.joints["head"], skeleton.frames["head"], skeleton.proportions.head / 2
    chest = skeleton.frames["chest"]
    start = centre + frame @ (np.array([0, 0.0, 0.42]) * half)
    if outfit.hair_style == "bob":
        end, wide = centre + frame @ (np.array([0, 0.95, 0.3]) * half), (0.8, 0.92, 0.86)
    else:
        end = skeleton.joints["thorax"] + chest @ np.array([0, 0.055, 0.055])
        wide = (0.78, 0.86, 0.7)
    if outfit.hair_style == "ponytail":
        start, wide = centre + frame @ (np.array([0, -0.5, 1.0]) * half), (0.2, 0.3, 0.1)
    deep = tuple(0.62 * value * half for value in wide)
    return Tube(
        start,
        end,
        frame,
        (0, 0.5, 1),
        tuple(value * half for value in wide),
        deep,
        (outfit.hair,),
        ((1.0, "head"),),
        (0.02, 0.02),
    )


def _paint_above(level: float, tilt: float) -> Paint:
    """Index 0 above a (tilted) plane, transparent below."""

    def paint(up: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        return np.where(up > level + tilt * front, 0, TRANSPARENT).astype(np.uint8)

    return paint


def _hat(skeleton: Skeleton, outfit: Outfit) -> list[Solid]:
    """Crown and brim."""
    if outfit.hat is None:
        return []
    centre, frame, half = skeleton.joints["head"], skeleton.frames["head"], skeleton.proportions.head / 2
    material = (outfit.hat,)
    level = {"cap": 0.26, "beanie": 0.16, "brim": 0.34}[outfit.hat_style]
    tall = {"cap": 1.12, "beanie": 1.22, "brim": 1.3}[outfit.hat_style]
    swell = 1.42 if outfit.hair_style == "afro" else 1.2
    radii = (_WIDTH * swell * half, tall * half, _DEPTH * (swell - 0.02) * half)
    solids: list[Solid] = [Ellipsoid(centre, frame, radii, material, "head", _paint_above(level, 0.08))]
    if outfit.hat_style == "cap":
        brim = centre + frame @ (np.array([0, -0.36, -0.95]) * half)
        solids.append(Ellipsoid(brim, frame, (0.66 * half, 0.09 * half, 0.62 * half), material, "head"))
    if outfit.hat_style == "brim":
        brim = centre + frame @ (np.array([0, -0.42, 0]) * half)
        solids.append(Ellipsoid(brim, frame, (1.65 * half, 0.11 * half, 1.75 * half), material, "head"))
    return solids


def _paint_glasses(up: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Two lenses, the bridge and the temples; transparent elsewhere."""
    side = np.abs(left)
    lens = (front > 0.1) & (((side - 0.4) / 0.36) ** 4 + ((up - 0.08) / 0.21) ** 4 < 1)
    bars = (front > -0.1) & (np.abs(up - 0.16) < 0.06)
    return np.where(lens | bars, 0, TRANSPARENT).astype(np.uint8)


def head_solids(skeleton: Skeleton, outfit: Outfit) -> list[Solid]:
    """All solids of the head and the neck."""
    joints, frames, half = skeleton.joints, skeleton.frames, skeleton.proportions.head / 2
    neck = Material("torso-skin", _scaled(outfit.skin, 0.93))
    radius = 0.034 * skeleton.proportions.girth**0.5
    solids = _skull(skeleton, outfit) + _hair(skeleton, outfit) + _hat(skeleton, outfit)
    solids.append(
        Tube(
            joints["thorax"] + frames["chest"] @ np.array([0, 0.02, 0.0]),
            joints["head"] + frames["head"] @ (np.array([0, 0.45, 0.12]) * half),
            frames["chest"],
            (0, 0.4, 1),
            (1.35 * radius, radius, 0.98 * radius),
            (1.25 * radius, radius, radius),
            (neck,),
            ((1.0, "torso"),),
            (0.01, 0.01),
        )
    )
    if outfit.glasses is not None:
        radii = (_WIDTH * 1.05 * half, half * 1.03, _DEPTH * 1.05 * half)
        solids.append(Ellipsoid(joints["head"], frames["head"], radii, (outfit.glasses,), "head", _paint_glasses))
    return solids
