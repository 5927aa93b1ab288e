"""Which pixels of a drawing grid a solid covers, and what of its surface is seen there."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipeline.datasets.sample.shapes import Ellipsoid, Solid, Tube

_SAMPLES = 96
_STATIONS = np.linspace(0, 1, _SAMPLES)


@dataclass(frozen=True)
class Hit:
    """The n pixels that a solid covers and what is seen there; all (n,) arrays.

    pixels: flat indices into the grid; depth: pixels; nx, ny, nz: normals of any length; along, left, front: place on
    the solid (see Paint); u, v: surface coordinates for patterns, in body heights.
    """

    pixels: np.ndarray
    depth: np.ndarray
    nx: np.ndarray
    ny: np.ndarray
    nz: np.ndarray
    along: np.ndarray
    left: np.ndarray
    front: np.ndarray
    u: np.ndarray
    v: np.ndarray

    def only(self, picked: np.ndarray) -> Hit:
        """The hits at those positions."""
        return Hit(*(getattr(self, field.name)[picked] for field in fields(self)))


@dataclass(frozen=True)
class Placement:
    """Takes body heights to grid pixels: pixel = scale * length + offset."""

    scale: float
    offset_x: float
    offset_y: float


_Window = tuple[int, int, int, int]


def _window(low: np.ndarray, high: np.ndarray, shape: tuple[int, ...]) -> _Window | None:
    """First and last-plus-one column and row of a box clipped to the grid; None when nothing is left."""
    x0, y0 = max(int(np.floor(low[0])), 0), max(int(np.floor(low[1])), 0)
    x1, y1 = min(int(np.ceil(high[0])) + 1, shape[1]), min(int(np.ceil(high[1])) + 1, shape[0])
    return (x0, x1, y0, y1) if x1 > x0 and y1 > y0 else None


def cover(solid: Solid, place: Placement, depths: np.ndarray) -> Hit | None:
    """The pixels where the solid is nearer than `depths` (H, W) float32; None when there is none."""
    if isinstance(solid, Tube):
        return _cover_tube(solid, place, depths)
    return _cover_ellipsoid(solid, place, depths)


def _nearer(flat: np.ndarray, depth: np.ndarray, window: _Window, depths: np.ndarray) -> np.ndarray:
    """Positions in `flat` (indices into the window) whose depth is less than what stands in the grid."""
    x0, x1, y0, y1 = window
    return np.flatnonzero(depth < depths[y0:y1, x0:x1].ravel()[flat])


@dataclass(frozen=True)
class _View:
    """A tube as the camera sees it, in grid pixels: its axis on the screen and tables of its sections along it.

    along, across: unit vectors on the screen; caps: how far the rounded ends reach beyond the axis; half_width, shear
    and thickness give the front surface shear * s - thickness * bulge at s pixels from the axis.
    """

    start: np.ndarray
    length: float
    along: np.ndarray
    across: np.ndarray
    caps: tuple[float, float]
    half_width: np.ndarray
    shear: np.ndarray
    thickness: np.ndarray
    slope: np.ndarray
    a: np.ndarray
    b: np.ndarray


def _slope(half_width: np.ndarray, length: float) -> np.ndarray:
    """Change of the half-width per pixel of the axis."""
    change = np.empty_like(half_width)
    change[1:-1] = (half_width[2:] - half_width[:-2]) / 2
    change[0], change[-1] = half_width[1] - half_width[0], half_width[-1] - half_width[-2]
    return np.clip(change * (_SAMPLES - 1) / max(length, 1.0), -1.2, 1.2)


def _view(tube: Tube, place: Placement) -> _View:
    scale = place.scale
    origin = np.array([place.offset_x, place.offset_y])
    start, end = tube.start[:2] * scale + origin, tube.end[:2] * scale + origin
    axis = end - start
    length = float(np.hypot(*axis))
    along = axis / length if length > 1e-3 else np.array([0.0, 1.0])
    length = max(length, 1e-3)
    across = np.array([along[1], -along[0]])
    a = np.interp(_STATIONS, tube.stations, tube.profile_a) * scale
    b = a if tube.profile_b is tube.profile_a else np.interp(_STATIONS, tube.stations, tube.profile_b) * scale
    left, back = tube.frame[:, 0], tube.frame[:, 2]
    left_across, back_across = float(left[:2] @ across), float(back[:2] @ across)
    wide = (a * left_across) ** 2 + (b * back_across) ** 2 + 1e-6
    mixed = a**2 * left_across * left[2] + b**2 * back_across * back[2]
    deep = (a * left[2]) ** 2 + (b * back[2]) ** 2
    half_width = np.sqrt(wide)
    thickness = np.sqrt(np.maximum(deep - mixed**2 / wide, (0.25 * np.minimum(a, b)) ** 2))
    tables = (half_width, mixed / wide, thickness, _slope(half_width, length), a, b)
    caps = (_cap_depth(tube, 0, scale, along), _cap_depth(tube, -1, scale, along))
    return _View(start, length, along, across, caps, *(table.astype(np.float32) for table in tables))


def _cap_depth(tube: Tube, end: int, scale: float, along: np.ndarray) -> float:
    """How far the rounded end reaches beyond the axis on the screen, pixels."""
    radii = np.array([tube.profile_a[end], tube.caps[end], tube.profile_b[end]])
    return float(max(np.sqrt((((along @ tube.frame[:2]) * radii) ** 2).sum()) * scale, 0.3))


def _tube_window(view: _View, shape: tuple[int, ...]) -> _Window | None:
    """The grid's part that the tube may cover."""
    first = view.start - view.along * view.caps[0]
    last = view.start + view.along * (view.length + view.caps[1])
    reach = float(view.half_width.max()) * np.abs(view.across)
    return _window(np.minimum(first, last) - reach, np.maximum(first, last) + reach, shape)


def _around_axis(view: _View, window: _Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of the window close to the axis: their flat indices, places along it (v) and across it (s)."""
    x0, x1, y0, y1 = window
    dx = np.arange(x0, x1, dtype=np.float32) - np.float32(view.start[0])
    dy = (np.arange(y0, y1, dtype=np.float32) - np.float32(view.start[1]))[:, None]
    v = dx * np.float32(view.along[0]) + dy * np.float32(view.along[1])
    s = dx * np.float32(view.across[0]) + dy * np.float32(view.across[1])
    flat = np.flatnonzero(np.abs(s) < view.half_width.max())
    return flat, v.ravel()[flat], s.ravel()[flat]


def _cover_tube(tube: Tube, place: Placement, depths: np.ndarray) -> Hit | None:
    view = _view(tube, place)
    window = _tube_window(view, depths.shape)
    if window is None:
        return None
    flat, v, s = _around_axis(view, window)
    length, caps = np.float32(view.length), view.caps
    index = np.clip(v * np.float32((_SAMPLES - 1) / view.length) + np.float32(0.5), 0, _SAMPLES - 1).astype(np.intp)
    over = np.maximum(v * np.float32(-1 / caps[0]), 0) + np.maximum((v - length) * np.float32(1 / caps[1]), 0)
    side = s / view.half_width[index]
    squared = side * side + over * over
    inside = np.flatnonzero(squared < 1)
    flat, v, s, index, side, squared = (values[inside] for values in (flat, v, s, index, side, squared))
    bulge = np.sqrt(1 - squared)
    surface = view.shear[index] * s - view.thickness[index] * bulge
    t = np.clip(v / length, 0, 1)
    z0, rise = tube.start[2] * place.scale, (tube.end[2] - tube.start[2]) * place.scale
    depth = surface + np.float32(z0) + t * np.float32(rise)
    near = _nearer(flat, depth, window, depths)
    if not len(near):
        return None
    flat, v, s, index, side, bulge, surface, t, depth = (
        values[near] for values in (flat, v, s, index, side, bulge, surface, t, depth)
    )
    pixels = _grid_pixels(flat, window, depths.shape[1])
    return Hit(pixels, depth, *_tube_surface(tube, view, place.scale, (v, s, index, side, bulge, surface, t)))


def _tube_surface(tube: Tube, view: _View, scale: float, seen: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The fields of Hit from nx on, for points given as in _cover_tube."""
    v, s, index, side, bulge, surface, t = seen
    length, along, across = np.float32(view.length), view.along, view.across
    over_end = np.maximum(v - length, 0) / np.float32(view.caps[1]) - np.maximum(-v, 0) / np.float32(view.caps[0])
    lengthwise = over_end - view.slope[index] * bulge
    left_axis, back_axis = tube.frame[:, 0], tube.frame[:, 2]
    left = (s * np.float32(left_axis[:2] @ across) + surface * np.float32(left_axis[2])) / view.a[index]
    front = -(s * np.float32(back_axis[:2] @ across) + surface * np.float32(back_axis[2])) / view.b[index]
    stretch = float(np.linalg.norm(tube.end - tube.start)) / (view.length / scale)
    return (
        side * np.float32(across[0]) + lengthwise * np.float32(along[0]),
        side * np.float32(across[1]) + lengthwise * np.float32(along[1]),
        -bulge,
        t,
        left,
        front,
        np.arcsin(np.clip(side, -1, 1)) * view.half_width[index] / np.float32(scale),
        v * np.float32(stretch / scale),
    )


def _grid_pixels(flat: np.ndarray, window: _Window, grid_width: int) -> np.ndarray:
    """Flat indices into the grid of flat indices into the window."""
    x0, x1, y0, _ = window
    rows = flat // (x1 - x0)
    return flat + (rows * (grid_width - (x1 - x0)) + (y0 * grid_width + x0))


def _turned(x: np.ndarray, y: np.ndarray, z: np.ndarray, matrix: np.ndarray) -> list[np.ndarray]:
    """The matrix times (x, y, z), per coordinate. Written out, as a BLAS may round by its number of threads."""
    return [x * row[0] + y * row[1] + z * row[2] for row in matrix.astype(np.float32)]


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
    gram = (inverse.T @ inverse).astype(np.float32)
    linear = dx * gram[0, 2] + dy * gram[1, 2]
    constant = dx * dx * gram[0, 0] + dy * dy * gram[1, 1] + dx * dy * (2 * gram[0, 1])
    discriminant = linear * linear - gram[2, 2] * (constant - 1)
    flat = np.flatnonzero(discriminant > 0)
    z = (-linear.ravel()[flat] - np.sqrt(discriminant.ravel()[flat])) * (1 / gram[2, 2])
    depth = z + np.float32(solid.centre[2] * scale)
    near = _nearer(flat, depth, window, depths)
    if not len(near):
        return None
    flat, z, depth = flat[near], z[near], depth[near]
    rows, cols = np.divmod(flat, x1 - x0)
    left, down, back = _turned(dx[cols], dy[rows, 0], z, inverse)
    u, v = left * np.float32(solid.radii[0]), down * np.float32(solid.radii[1])
    nx, ny, nz = _turned(left, down, back, (inverse * scale * min(solid.radii)).T)
    return Hit(_grid_pixels(flat, window, depths.shape[1]), depth, nx, ny, nz, -down, left, -back, u, v)
