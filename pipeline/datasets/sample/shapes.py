"""The two solids that bodies and clothes are made of, in body heights in the camera frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Sequence

import numpy as np

from pipeline.datasets.sample.materials import Material

TRANSPARENT = 255
"""Material index of surface points where a solid is open."""

Paint = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(t or up, left, front) of surface points -> (n,) uint8 indices into the solid's materials."""


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
