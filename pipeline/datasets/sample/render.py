"""Draws figures into an image and its label maps.

The drawing grid is twice as fine as the image: grid pixel (2 r, 2 c) is the centre of image pixel (r, c), so labels are
the grid's even rows and columns, and colours a symmetric 3 x 3 mean about them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.datasets.sample.covering import Hit, Placement, cover
from pipeline.datasets.sample.figure import Figure
from pipeline.datasets.sample.materials import pattern_weight
from pipeline.datasets.sample.part_names import BODY_IDS
from pipeline.datasets.sample.shapes import TRANSPARENT, Solid, Tube

OVERSAMPLING = 2


@dataclass(frozen=True)
class Light:
    """A directional light: unit vector from the scene to the lamp, and the share that comes from all sides."""

    direction: np.ndarray
    ambient: float


@dataclass
class Canvas:
    """The fine drawing grid: colour float32 RGB, part, body and person ids, noise for folds, and the light."""

    colour: np.ndarray
    parts: np.ndarray
    body: np.ndarray
    people: np.ndarray
    grain: np.ndarray
    light: Light

    @classmethod
    def on(cls, background: np.ndarray, grain: np.ndarray, light: Light) -> Canvas:
        """An empty grid over a background (H, W, 3) float32."""
        height, width = background.shape[0] * OVERSAMPLING, background.shape[1] * OVERSAMPLING
        matrix = np.array([[0.5, 0, 0], [0, 0.5, 0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        colour = cv2.warpAffine(background, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        maps = [np.zeros((height, width), dtype=np.uint8) for _ in range(3)]
        return cls(colour, maps[0], maps[1], maps[2], grain, light)

    def image(self) -> np.ndarray:
        """(H, W, 3) float32 RGB at the image's own size."""
        kernel = np.array([0.25, 0.5, 0.25], dtype=np.float32)
        return cv2.sepFilter2D(self.colour, -1, kernel, kernel)[::OVERSAMPLING, ::OVERSAMPLING]


def _body_ids(solid: Solid, along: np.ndarray) -> np.ndarray:
    """(n,) uint8 ids of the body parts at places along the solid."""
    if not isinstance(solid, Tube):
        return np.full(len(along), BODY_IDS[solid.body], dtype=np.uint8)
    ids = np.full(len(along), BODY_IDS[solid.body[-1][1]], dtype=np.uint8)
    for until, name in reversed(solid.body[:-1]):
        ids[along < until] = BODY_IDS[name]
    return ids


def _shade(hit: Hit, light: Light) -> np.ndarray:
    """(n,) float32 brightness: the lamp from the side, darker towards the outline."""
    x, y, z = hit.nx, hit.ny, hit.nz
    lamp = light.direction.astype(np.float32)
    norm = np.sqrt(x * x + y * y + z * z) + np.float32(1e-6)
    lit = np.maximum((x * lamp[0] + y * lamp[1] + z * lamp[2]) / norm, 0)
    facing = np.clip(-z / norm, 0, 1)
    return (np.float32(light.ambient) + np.float32(1 - light.ambient) * lit) * (
        np.float32(0.72) + np.float32(0.33) * facing
    )


def _surface_colour(solid: Solid, which: np.ndarray, hit: Hit, grain: np.ndarray) -> np.ndarray:
    """(n, 3) float32 unshaded RGB of the surface with its patterns and folds."""
    colours = np.array([material.colour for material in solid.materials], dtype=np.float32)
    colour = np.take(colours, which, axis=0)
    folds = np.array([material.folds for material in solid.materials], dtype=np.float32)
    for index, material in enumerate(solid.materials):
        if material.pattern == "plain":
            continue
        picked = np.flatnonzero(which == index)
        if len(picked):
            inverse = np.float32(1 / material.period)
            weight = pattern_weight(material.pattern, hit.u[picked] * inverse, hit.v[picked] * inverse, grain[picked])
            second = np.array(material.second, dtype=np.float32)
            colour[picked] += weight[:, None] * (second - colour[picked])
    colour *= (1 + folds[which] * grain * 3)[:, None]
    return colour


def _draw_solid(canvas: Canvas, solid: Solid, place: Placement, depths: np.ndarray, person_id: int) -> None:
    """Draws what of the solid lies before `depths`, and updates them."""
    hit = cover(solid, place, depths)
    if hit is None:
        return
    which = np.zeros(len(hit.pixels), dtype=np.intp)
    if solid.paint is not None:
        which = solid.paint(hit.along, hit.left, hit.front).astype(np.intp)
        seen = np.flatnonzero(which != TRANSPARENT)
        if len(seen) < len(which):
            which, hit = which[seen], hit.only(seen)
    pixels = hit.pixels
    depths.ravel()[pixels] = hit.depth
    colour = _surface_colour(solid, which, hit, canvas.grain.ravel()[pixels])
    colour *= _shade(hit, canvas.light)[:, None]
    canvas.colour.reshape(-1, 3)[pixels] = colour
    canvas.parts.ravel()[pixels] = np.array([material.part_id for material in solid.materials], dtype=np.uint8)[which]
    canvas.body.ravel()[pixels] = _body_ids(solid, hit.along)
    canvas.people.ravel()[pixels] = person_id


def _nearest(solid: Solid) -> float:
    """Depth of the nearer end (or the centre) of a solid: drawn in this order, most hidden points are never coloured."""
    return min(solid.start[2], solid.end[2]) if isinstance(solid, Tube) else solid.centre[2]


def draw_figure_on(canvas: Canvas, figure: Figure, place: Placement, person_id: int) -> np.ndarray:
    """Draws one person over everything drawn so far; returns its (H, W) float32 depths in grid pixels."""
    depths = np.full(canvas.parts.shape, np.inf, dtype=np.float32)
    for solid in sorted(figure.solids, key=_nearest):
        _draw_solid(canvas, solid, place, depths, person_id)
    return depths


def joint_visibility(
    figure: Figure, place: Placement, depths: np.ndarray, people: np.ndarray, person_id: int
) -> dict[str, tuple[float, float, int]]:
    """Joints of a drawn figure: name -> (x, y, v) in image pixels.

    v: 0 outside of the image (x and y are then 0), 1 hidden by another person, a thing, or the own body, 2 visible.
    """
    height, width = people.shape
    joints = {}
    for name, (position, covered) in figure.joints.items():
        x, y = position[:2] * place.scale + (place.offset_x, place.offset_y)
        col, row = round(x / OVERSAMPLING) * OVERSAMPLING, round(y / OVERSAMPLING) * OVERSAMPLING
        if not (0 <= col < width and 0 <= row < height):
            joints[name] = (0.0, 0.0, 0)
            continue
        own = people[row, col] == person_id
        open_view = depths[row, col] >= (position[2] - covered) * place.scale
        joints[name] = (float(x) / OVERSAMPLING, float(y) / OVERSAMPLING, 2 if own and open_view else 1)
    return joints
