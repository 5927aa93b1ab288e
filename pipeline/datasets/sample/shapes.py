"""The two solids that bodies and clothes are made of, and which pixels of an image they cover.

A solid is given in body heights in the camera frame; covering happens in the pixels of a drawing grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

import numpy as np

from pipeline.datasets.sample.materials import Material

TRANSPARENT = 255
"""Material index of surface points where a solid is open."""

Paint = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(t or up, left, front) of surface points -> (n,) uint8 indices into the solid's materials."""

_SAMPLES = 96


@dataclass(frozen=True)
class Tube:
    """A straight limb with an elliptic section that changes along it.

    `frame` columns: the section's left, the axis, the back; `profile_a` (left) and `profile_b` (back) are half-widths
    at the positions `stations` (0-1). `caps` are the depths of its rounded ends; 0 is a straight cut.
    """

    start: np.ndarray
    end: np.ndarray
    frame: np.ndarray
    stations: Sequence[float]
    profile_a: Sequence[float]
    profile_b: Sequence[float]
    materials: tuple[Material, ...]
    body: tuple[tuple[float, str], ...]
    caps: tuple[float, float] = (0.0, 0.0)
    paint: Paint | None = None

    def extent(self) -> np.ndarray:
        """(2, 2) lowest and highest (x, y)."""
        ends = np.stack([self.start[:2], self.end[:2]])
        reach = max(max(self.profile_a), max(self.profile_b))
        return np.stack([ends.min(axis=0) - reach * 0.7, ends.max(axis=0) + reach * 0.7])


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid; `frame` columns are its left, down and back axes, `radii` its half-lengths along them."""

    centre: np.ndarray
    frame: np.ndarray
    radii: tuple[float, float, float]
    materials: tuple[Material, ...]
    body: str
    paint: Paint | None = None

    def extent(self) -> np.ndarray:
        """(2, 2) lowest and highest (x, y)."""
        reach = np.sqrt(((self.frame[:2] * np.array(self.radii)) ** 2).sum(axis=1))
        return np.stack([self.centre[:2] - reach, self.centre[:2] + reach])


Solid = Tube | Ellipsoid


@dataclass(frozen=True)
class Hit:
    """The n pixels that a solid covers and what is seen there.

    rows, cols: grid pixels; depth: pixels; normals: (n, 3); along, left, front: place on the solid (see Paint);
    u, v: surface coordinates for patterns, in body heights.
    """

    rows: np.ndarray
    cols: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    along: np.ndarray
    left: np.ndarray
    front: np.ndarray
    u: np.ndarray
    v: np.ndarray


@dataclass(frozen=True)
class Placement:
    """Takes body heights to grid pixels: pixel = scale * length + offset."""

    scale: float
    offset_x: float
    offset_y: float


def _window(low: np.ndarray, high: np.ndarray, shape: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """First and last-plus-one column and row of a box clipped to the grid; None when nothing is left."""
    x0, y0 = max(int(np.floor(low[0])), 0), max(int(np.floor(low[1])), 0)
    x1, y1 = min(int(np.ceil(high[0])) + 1, shape[1]), min(int(np.ceil(high[1])) + 1, shape[0])
    return (x0, x1, y0, y1) if x1 > x0 and y1 > y0 else None


def cover(solid: Solid, place: Placement, depths: np.ndarray) -> Hit | None:
    """The pixels where the solid is nearer than `depths` (H, W) float32; None when there is none."""
    if isinstance(solid, Tube):
        return _cover_tube(solid, place, depths)
    return _cover_ellipsoid(solid, place, depths)


@dataclass(frozen=True)
class _Sections:
    """Tables over the axis of a tube seen by the camera, in pixels."""

    half_width: np.ndarray
    shear: np.ndarray
    thickness: np.ndarray
    slope: np.ndarray
    a: np.ndarray
    b: np.ndarray


def _sections(tube: Tube, scale: float, across: np.ndarray, length: float) -> _Sections:
    """Half-width, front surface and slope of each section as the camera sees it; `across` is the screen direction."""
    grid = np.linspace(0, 1, _SAMPLES)
    a = np.interp(grid, tube.stations, tube.profile_a) * scale
    b = np.interp(grid, tube.stations, tube.profile_b) * scale
    left, back = tube.frame[:, 0], tube.frame[:, 2]
    left_across, back_across = float(left[:2] @ across), float(back[:2] @ across)
    wide = (a * left_across) ** 2 + (b * back_across) ** 2 + 1e-6
    mixed = a**2 * left_across * left[2] + b**2 * back_across * back[2]
    deep = (a * left[2]) ** 2 + (b * back[2]) ** 2
    half_width = np.sqrt(wide)
    thickness = np.sqrt(np.maximum(deep - mixed**2 / wide, (0.25 * np.minimum(a, b)) ** 2))
    slope = np.clip(np.gradient(half_width) * (_SAMPLES - 1) / max(length, 1.0), -1.2, 1.2)
    tables = (half_width, mixed / wide, thickness, slope, a, b)
    return _Sections(*(table.astype(np.float32) for table in tables))


def _cap_depth(tube: Tube, cap: float, end: int, scale: float, along: np.ndarray) -> float:
    """How far the rounded end reaches beyond the axis on the screen, pixels."""
    radii = np.array([tube.profile_a[end], cap, tube.profile_b[end]])
    return float(max(np.sqrt((((along @ tube.frame[:2]) * radii) ** 2).sum()) * scale, 0.3))


def _cover_tube(tube: Tube, place: Placement, depths: np.ndarray) -> Hit | None:
    scale = place.scale
    origin = np.array([place.offset_x, place.offset_y])
    start, end = tube.start[:2] * scale + origin, tube.end[:2] * scale + origin
    axis = end - start
    length = float(np.hypot(*axis))
    along = axis / length if length > 1e-3 else np.array([0.0, 1.0])
    length = max(length, 1e-3)
    across = np.array([along[1], -along[0]])
    tables = _sections(tube, scale, across, length)
    caps = [_cap_depth(tube, cap, end, scale, along) for cap, end in zip(tube.caps, (0, -1), strict=True)]
    first, last = start - along * caps[0], end + along * caps[1]
    reach = float(tables.half_width.max()) * np.abs(across)
    window = _window(np.minimum(first, last) - reach, np.maximum(first, last) + reach, depths.shape)
    if window is None:
        return None
    x0, x1, y0, y1 = window
    dx = np.arange(x0, x1, dtype=np.float32) - np.float32(start[0])
    dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(start[1]))[:, None]
    v = dx * np.float32(along[0]) + dy * np.float32(along[1])
    s = dx * np.float32(across[0]) + dy * np.float32(across[1])
    index = np.clip(v * np.float32((_SAMPLES - 1) / length) + np.float32(0.5), 0, _SAMPLES - 1).astype(np.int32)
    over = np.maximum(v * np.float32(-1 / caps[0]), 0) + np.maximum(
        (v - np.float32(length)) * np.float32(1 / caps[1]), 0
    )
    side = s / tables.half_width[index]
    squared = side * side + over * over
    flat = np.flatnonzero(squared < 1)
    if not len(flat):
        return None
    rows, cols = np.divmod(flat, x1 - x0)
    index, side, s, v = index.ravel()[flat], side.ravel()[flat], s.ravel()[flat], v.ravel()[flat]
    bulge = np.sqrt(1 - squared.ravel()[flat])
    t = np.clip(v / np.float32(length), 0, 1)
    surface = tables.shear[index] * s - tables.thickness[index] * bulge
    depth = surface + np.float32(tube.start[2] * scale) + t * np.float32((tube.end[2] - tube.start[2]) * scale)
    rows, cols = rows + y0, cols + x0
    near = np.flatnonzero(depth < depths[rows, cols])
    if not len(near):
        return None
    rows, cols, depth, index, side, s, v, t, bulge, surface = (
        values[near] for values in (rows, cols, depth, index, side, s, v, t, bulge, surface)
    )
    tilt = tables.slope[index] * bulge
    over_end = np.maximum(v - np.float32(length), 0) / np.float32(caps[1]) - np.maximum(-v, 0) / np.float32(caps[0])
    lengthwise = over_end - tilt
    normals = np.stack(
        [
            side * np.float32(across[0]) + lengthwise * np.float32(along[0]),
            side * np.float32(across[1]) + lengthwise * np.float32(along[1]),
            -bulge,
        ],
        axis=1,
    )
    left_axis, back_axis = tube.frame[:, 0], tube.frame[:, 2]
    left = (s * np.float32(left_axis[:2] @ across) + surface * np.float32(left_axis[2])) / tables.a[index]
    front = -(s * np.float32(back_axis[:2] @ across) + surface * np.float32(back_axis[2])) / tables.b[index]
    u = np.arcsin(np.clip(side, -1, 1)) * tables.half_width[index] / np.float32(scale)
    stretch = float(np.linalg.norm(tube.end - tube.start)) / (length / scale)
    return Hit(rows, cols, depth, normals, t, left, front, u, v * np.float32(stretch / scale))


def _turned(vectors: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n, 3) float32: matrix times each row. Written out, as a BLAS may round by its number of threads."""
    m = matrix.astype(np.float32)
    x, y, z = vectors[:, 0], vectors[:, 1], vectors[:, 2]
    return np.stack([x * row[0] + y * row[1] + z * row[2] for row in m], axis=1)


def _cover_ellipsoid(solid: Ellipsoid, place: Placement, depths: np.ndarray) -> Hit | None:
    scale = place.scale
    low, high = solid.extent() * scale + np.array([place.offset_x, place.offset_y])
    window = _window(low, high, depths.shape)
    if window is None:
        return None
    x0, x1, y0, y1 = window
    inverse = (solid.frame / np.array(solid.radii)).T / scale
    dx = np.arange(x0, x1, dtype=np.float32) - np.float32(solid.centre[0] * scale + place.offset_x)
    dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(solid.centre[1] * scale + place.offset_y))[:, None]
    gram = inverse.T @ inverse
    quadratic = float(gram[2, 2])
    linear = dx * np.float32(gram[0, 2]) + dy * np.float32(gram[1, 2])
    constant = (
        dx * dx * np.float32(gram[0, 0]) + dy * dy * np.float32(gram[1, 1]) + dx * dy * np.float32(2 * gram[0, 1])
    )
    discriminant = linear * linear - np.float32(quadratic) * (constant - 1)
    flat = np.flatnonzero(discriminant > 0)
    if not len(flat):
        return None
    rows, cols = np.divmod(flat, x1 - x0)
    z = (-linear.ravel()[flat] - np.sqrt(discriminant.ravel()[flat])) * np.float32(1 / quadratic)
    depth = z + np.float32(solid.centre[2] * scale)
    near = np.flatnonzero(depth < depths[rows + y0, cols + x0])
    if not len(near):
        return None
    rows, cols, z, depth = rows[near], cols[near], z[near], depth[near]
    unit = _turned(np.stack([dx[cols], dy[rows, 0], z], axis=1), inverse)
    normals = _turned(unit, (inverse * scale * min(solid.radii)).T)
    u, v = unit[:, 0] * np.float32(solid.radii[0]), unit[:, 1] * np.float32(solid.radii[1])
    return Hit(rows + y0, cols + x0, depth, normals, -unit[:, 1], unit[:, 0], -unit[:, 2], u, v)
