"""The trunk from the crotch to the neck, with everything that is worn on it."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.sample.materials import Material
from pipeline.datasets.sample.outfit import Outfit
from pipeline.datasets.sample.shapes import Paint, Tube
from pipeline.datasets.sample.skeleton import Skeleton

_STATIONS = (0.0, 0.1, 0.25, 0.48, 0.72, 0.84, 0.91, 0.96, 1.0)
_WIDTHS = (0.070, 0.088, 0.090, 0.078, 0.096, 0.106, 0.102, 0.072, 0.042)
_DEPTHS = (0.050, 0.062, 0.066, 0.056, 0.068, 0.060, 0.052, 0.044, 0.036)
_SKIN, _TOP, _BOTTOM, _BELT, _COAT, _BAG, _SHIRT = range(7)


def body_frame(left: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(3, 3) orthonormal columns left, axis, back, for a solid along `axis` that keeps `left` as far as it can."""
    axis = axis / np.linalg.norm(axis)
    left = left - axis * (left @ axis)
    left = left / np.linalg.norm(left)
    return np.stack([left, axis, np.cross(left, axis)], axis=1)


def _paint_top(outfit: Outfit) -> Paint:
    """What lies on the trunk, from the skin outwards."""
    base = _SKIN if outfit.top is None else _TOP
    legs_cloth = outfit.bottom if outfit.bottom is not None else outfit.skirt
    separate = outfit.top is None or outfit.top.part == "upper-clothes"
    waistline = 0.36 if outfit.crop > 0 or outfit.top is None else outfit.waistline

    def paint(t: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        layer = np.full(len(t), base, dtype=np.uint8)
        side = np.abs(left)
        if outfit.bib:
            layer[~((front > 0) & (side < 0.55) & (t < 0.76)) & (t > 0.42)] = _SHIRT
            layer[(side > 0.3) & (side < 0.5) & (t > 0.42)] = _TOP
        if outfit.neckline > 0 and base == _TOP:
            scoop = 0.95 - 0.1 * outfit.neckline * np.maximum(1 - (side / 0.55) ** 2, 0)
            layer[(front > 0) & (t > scoop) & (side < 0.55)] = _SKIN
        if separate and legs_cloth is not None:
            layer[t < waistline] = _BOTTOM
            if outfit.crop > 0:
                layer[(t >= waistline) & (t < waistline + 0.16 * outfit.crop)] = _SKIN
        if outfit.belt is not None:
            layer[np.abs(t - max(waistline, 0.34)) < 0.022] = _BELT
        if outfit.coat is not None:
            opening = 0.2 + 0.12 * (1 - t) if outfit.coat_open else 0.34 * np.maximum(t - 0.8, 0) / 0.2
            layer[~((front > 0) & (side < opening)) & (t > 0.12)] = _COAT
        if outfit.bag is not None and not outfit.bag_in_hand:
            layer[np.abs(0.75 * left - (t - 0.5) * 1.3) < 0.07] = _BAG
        return layer

    return paint


def torso_solid(skeleton: Skeleton, outfit: Outfit) -> Tube:
    """The trunk as one tube from the crotch up to the base of the neck."""
    proportions, joints, chest = skeleton.proportions, skeleton.joints, skeleton.frames["chest"]
    root = skeleton.frames["root"]
    start = joints["pelvis"] + root @ np.array([0, 0.035, 0])
    end = joints["thorax"] + chest @ np.array([0, -0.022, 0])
    left = root[:, 0] + 1.6 * chest[:, 0]
    girth, waist = proportions.girth**0.7, proportions.waist
    broad = proportions.shoulder / 0.108
    hips = 0.94 * proportions.hip / 0.05
    scale_a = np.array([hips, hips, hips, waist, broad, broad, broad, broad, 1.0])
    scale_b = np.array([1, 1, 1, waist, 1, 1, 1, 1, 1])
    cloth = 1.0 if outfit.top is None else 1.05
    cloth *= 1.1 if outfit.coat is not None else 1.0
    skin = Material("torso-skin", outfit.skin, folds=0.05)
    shirt = Material("upper-clothes", outfit.shirt)
    bottom = outfit.bottom or outfit.skirt or skin
    materials = (
        skin,
        outfit.top or skin,
        bottom,
        outfit.belt or bottom,
        outfit.coat or skin,
        outfit.bag or skin,
        shirt,
    )
    return Tube(
        start,
        end,
        body_frame(left, start - end),
        _STATIONS,
        tuple(np.array(_WIDTHS) * scale_a * girth * cloth),
        tuple(np.array(_DEPTHS) * scale_b * girth * cloth),
        materials,
        ((1.0, "torso"),),
        (0.02, 0.012),
        _paint_top(outfit),
    )
