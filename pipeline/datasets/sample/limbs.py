"""Arms and legs: flesh, sleeves, trouser legs, socks, gloves and shoes."""

from __future__ import annotations

import numpy as np

from pipeline.datasets.sample.materials import Material
from pipeline.datasets.sample.outfit import Outfit
from pipeline.datasets.sample.shapes import Ellipsoid, Paint, Solid, Tube
from pipeline.datasets.sample.skeleton import Skeleton

_EDGE_STATIONS = tuple(np.linspace(0, 1, 33))


def _covered_until(share: float) -> Paint:
    """Index 1 on the first `share` of the limb, 0 beyond."""

    def paint(t: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        return (t < share).astype(np.uint8)

    return paint


def _thickness(
    stations: tuple[float, ...], radii: tuple[float, ...], share: float, gain: float, extra: float
) -> tuple[float, ...]:
    """Radii at _EDGE_STATIONS, where cloth covers the first `share` (times gain, plus extra)."""
    bare = np.interp(_EDGE_STATIONS, stations, radii)
    covered = np.array(_EDGE_STATIONS) < share
    return tuple(np.where(covered, bare * gain + extra, bare))


def _bone(
    skeleton: Skeleton,
    names: tuple[str, str],
    radii: tuple[float, ...],
    materials: tuple[Material, ...],
    body: str,
    paint: Paint,
) -> Tube:
    """A round limb between two joints."""
    start, end = (skeleton.joints[name] for name in names)
    caps = (radii[0], radii[-1])
    return Tube(
        start, end, skeleton.frames[names[0]], _EDGE_STATIONS, radii, radii, materials, ((1.0, body),), caps, paint
    )


def arm_solids(skeleton: Skeleton, outfit: Outfit, side: str, sign: float) -> list[Solid]:
    """Upper arm, forearm and hand of one side."""
    skin = Material(f"{side}-arm", outfit.skin)
    sleeve, length, gain, extra = outfit.top or skin, outfit.sleeve, 1.12, 0.003
    if outfit.bib:
        sleeve = Material("upper-clothes", outfit.shirt)
    if outfit.coat is not None:
        sleeve, length, gain, extra = outfit.coat, 1.96, 1.22, 0.004
    if outfit.top is None and outfit.coat is None:
        length = 0.0
    thick = skeleton.proportions.girth**0.8
    upper = _thickness((0, 0.15, 0.5, 1), tuple(thick * r for r in (0.031, 0.034, 0.030, 0.026)), length, gain, extra)
    lower = _thickness((0, 0.25, 1), tuple(thick * r for r in (0.026, 0.027, 0.018)), length - 1, gain, extra + 0.001)
    palm = outfit.gloves.relabelled("glove") if outfit.gloves is not None else skin
    arm = _bone(
        skeleton, (f"{side}-shoulder", f"{side}-elbow"), upper, (skin, sleeve), "upper-arm", _covered_until(length)
    )
    forearm = _bone(
        skeleton, (f"{side}-elbow", f"{side}-wrist"), lower, (skin, sleeve), "lower-arm", _covered_until(length - 1)
    )
    return [arm, forearm, *_hand(skeleton, side, sign, palm)]


def _hand(skeleton: Skeleton, side: str, sign: float, palm: Material) -> list[Solid]:
    """A flat hand, palm to the body, and its thumb."""
    frame, wrist = skeleton.frames[f"{side}-elbow"], skeleton.joints[f"{side}-wrist"]
    size = skeleton.proportions.hand / 0.085
    middle = wrist + frame @ (np.array([0, 0.036, -0.002]) * size)
    thumb = wrist + frame @ (np.array([-sign * 0.006, 0.03, -0.02]) * size)
    return [
        Ellipsoid(middle, frame, (0.015 * size, 0.044 * size, 0.024 * size), (palm,), "lower-arm"),
        Ellipsoid(thumb, frame, (0.009 * size, 0.024 * size, 0.009 * size), (palm,), "lower-arm"),
    ]


def _paint_shin(outfit: Outfit, trousers: float) -> Paint:
    """0 skin, 1 trousers, 2 sock, 3 boot: trousers over boots over socks."""

    def paint(t: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        layer = np.zeros(len(t), dtype=np.uint8)
        if outfit.socks is not None:
            layer[t > 1 - outfit.sock_length] = 2
        if outfit.shoes is not None:
            layer[t > 1 - max(outfit.boot, 0.03)] = 3
        layer[t < trousers] = 1
        return layer

    return paint


def _drape(outfit: Outfit) -> tuple[Material | None, float]:
    """The skirt or coat that lies over the thighs, and the share of a thigh that it always covers."""
    if outfit.coat is not None and outfit.coat_length > 0.2:
        return outfit.coat, 0.6 * min(outfit.coat_length, 1.0)
    if outfit.skirt is not None:
        return outfit.skirt, 0.6 * min(outfit.skirt_length, 1.0)
    return None, 0.0


def _paint_thigh(outfit: Outfit, trousers: float, draped: float) -> Paint:
    """0 skin, 1 trousers, 2 long stocking, 4 the skirt or coat over it."""
    stocking = outfit.sock_length - 1 if outfit.socks is not None else 0.0

    def paint(t: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
        layer = np.where(t > 1 - stocking, 2, 0).astype(np.uint8)
        layer[t < trousers] = 1
        layer[t < draped] = 4
        return layer

    return paint


def leg_solids(skeleton: Skeleton, outfit: Outfit, side: str, sign: float) -> list[Solid]:
    """Thigh, shin and foot of one side."""
    skin = Material(f"{side}-leg", outfit.skin)
    cloth = outfit.bottom or skin
    length = outfit.trouser_length if outfit.bottom is not None else 0.0
    length = 1.93 if outfit.bottom is not None and outfit.bottom.part == "jumpsuits" and length > 1.3 else length
    shoe = outfit.shoes.relabelled(f"{side}-shoe") if outfit.shoes is not None else skin
    sock = outfit.socks or skin
    thick = skeleton.proportions.girth**0.8
    gain, extra = 1.04, 0.03 * (outfit.trouser_width - 1.04)
    thigh = _thickness((0, 0.3, 1), tuple(thick * r for r in (0.062, 0.057, 0.040)), length, gain, extra)
    shin_radii = tuple(thick * r for r in (0.039, 0.043, 0.031, 0.023))
    shin = _thickness((0, 0.25, 0.6, 1), shin_radii, length - 1, gain, extra + 0.004)
    drape, draped = _drape(outfit)
    materials = (skin, cloth, sock, shoe, drape or cloth)
    return [
        _bone(
            skeleton,
            (f"{side}-hip", f"{side}-knee"),
            thigh,
            materials,
            "upper-leg",
            _paint_thigh(outfit, length, draped),
        ),
        _bone(
            skeleton, (f"{side}-knee", f"{side}-ankle"), shin, materials, "lower-leg", _paint_shin(outfit, length - 1)
        ),
        *_foot(skeleton, side, sign, shoe),
    ]


def _paint_sole(up: np.ndarray, left: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Index 1 (sole) on the underside."""
    return (up < -0.62).astype(np.uint8)


def _foot(skeleton: Skeleton, side: str, sign: float, shoe: Material) -> list[Solid]:
    """Heel and toes, the toes turned out a little."""
    shin, ankle = skeleton.frames[f"{side}-knee"], skeleton.joints[f"{side}-ankle"]
    size = skeleton.proportions.foot / 0.135
    turn = np.array([[0.99, 0, -sign * 0.14], [0, 1, 0], [sign * 0.14, 0, 0.99]])
    frame = shin @ turn
    sole = Material(shoe.part, (225.0, 222.0, 214.0) if np.mean(shoe.colour) < 150 else (60.0, 56.0, 54.0))
    sole = shoe if shoe.part.endswith("leg") else sole
    toes = ankle + frame @ (np.array([0, 0.022, -0.042]) * size)
    heel = ankle + frame @ (np.array([0, 0.014, 0.0]) * size)
    return [
        Ellipsoid(toes, frame, (0.029 * size, 0.021 * size, 0.066 * size), (shoe, sole), "lower-leg", _paint_sole),
        Ellipsoid(heel, frame, (0.026 * size, 0.03 * size, 0.032 * size), (shoe, sole), "lower-leg", _paint_sole),
    ]
