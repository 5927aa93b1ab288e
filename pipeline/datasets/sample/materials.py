"""What surfaces are made of: the part that they belong to, their colour and their pattern."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.datasets.sample.part_names import PART_IDS

PATTERNS = ("plain", "stripes", "bars", "checks", "dots", "noise")
_SKINS = np.array(
    [(246, 212, 188), (233, 189, 158), (222, 168, 132), (198, 139, 101), (160, 105, 72), (118, 74, 50), (82, 52, 38)]
)
_HAIRS = np.array(
    [
        *((28, 23, 22), (48, 34, 26), (84, 56, 36), (124, 82, 48), (178, 136, 82)),
        *((214, 184, 130), (150, 62, 32), (168, 166, 164), (222, 220, 216), (60, 40, 34)),
    ]
)


@dataclass(frozen=True)
class Material:
    """One surface: fine part, RGB colour, and a pattern in a second colour with a period in body heights."""

    part: str
    colour: tuple[float, float, float]
    pattern: str = "plain"
    second: tuple[float, float, float] = (0.0, 0.0, 0.0)
    period: float = 0.05
    folds: float = 0.0

    @property
    def part_id(self) -> int:
        """Id of the fine part."""
        return PART_IDS[self.part]

    def relabelled(self, part: str) -> Material:
        """The same surface as a part of that name."""
        return Material(part, self.colour, self.pattern, self.second, self.period, self.folds)


def pattern_weight(pattern: str, u: np.ndarray, v: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Share of the second colour at surface coordinates u, v (in periods); grain is noise around 0."""
    if pattern == "stripes":
        return (v % 1.0 < 0.45).astype(np.float32)
    if pattern == "bars":
        return (u % 1.0 < 0.4).astype(np.float32)
    if pattern == "checks":
        return np.float32(0.5) * ((u % 1.0 < 0.5).astype(np.float32) + (v % 1.0 < 0.5).astype(np.float32))
    if pattern == "dots":
        return (((u % 1.0) - 0.5) ** 2 + ((v % 1.0) - 0.5) ** 2 < 0.07).astype(np.float32)
    return np.clip(0.5 + 2.5 * grain, 0, 1).astype(np.float32)


def _rgb(hue: float, saturation: float, value: float) -> tuple[float, float, float]:
    """RGB 0-255 of a colour given by hue (0-1), saturation and value."""
    pixel = np.array([[[int(hue * 179), int(saturation * 255), int(value * 255)]]], dtype=np.uint8)
    red, green, blue = cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0]
    return float(red), float(green), float(blue)


def draw_cloth_colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """Colours as clothes have them: many dark, white, grey, blue and beige ones, some loud."""
    kind = rng.random()
    if kind < 0.3:
        return _rgb(rng.random(), rng.uniform(0, 0.12), rng.choice([rng.uniform(0.1, 0.3), rng.uniform(0.75, 0.98)]))
    if kind < 0.5:
        return _rgb(rng.uniform(0.55, 0.7), rng.uniform(0.3, 0.8), rng.uniform(0.2, 0.7))
    if kind < 0.65:
        return _rgb(rng.uniform(0.05, 0.14), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.85))
    return _rgb(rng.random(), rng.uniform(0.35, 0.95), rng.uniform(0.3, 0.95))


def vary(rng: np.random.Generator, colour: tuple[float, float, float], spread: float) -> tuple[float, float, float]:
    """A colour close to the given one; spread is in grey levels."""
    base = np.clip(np.array(colour) + rng.normal(0, spread) + rng.normal(0, spread / 2, size=3), 5, 252)
    return float(base[0]), float(base[1]), float(base[2])


def draw_cloth(rng: np.random.Generator, part: str, near: Material | None = None) -> Material:
    """Cloth for a garment; `near` is a neighbour whose colour it may nearly share (one time in four)."""
    colour = draw_cloth_colour(rng)
    if near is not None and rng.random() < 0.25:
        colour = vary(rng, near.colour, 14)
    pattern = "plain" if rng.random() < 0.58 else str(rng.choice(PATTERNS[1:]))
    second = draw_cloth_colour(rng) if rng.random() < 0.6 else vary(rng, colour, 45)
    return Material(part, colour, pattern, second, rng.uniform(0.022, 0.075), folds=rng.uniform(0.1, 0.32))


def draw_skin(rng: np.random.Generator) -> tuple[float, float, float]:
    """A skin tone between two neighbours of a scale from light to dark."""
    place = rng.uniform(0, len(_SKINS) - 1.001)
    low = int(place)
    mixed = _SKINS[low] + (place - low) * (_SKINS[low + 1] - _SKINS[low])
    return vary(rng, (float(mixed[0]), float(mixed[1]), float(mixed[2])), 5)


def draw_hair_colour(rng: np.random.Generator) -> tuple[float, float, float]:
    """A hair colour, dark ones more often."""
    weights = np.array([5, 5, 4, 3, 2, 2, 1, 1, 1, 3], dtype=float)
    red, green, blue = _HAIRS[rng.choice(len(_HAIRS), p=weights / weights.sum())]
    return vary(rng, (float(red), float(green), float(blue)), 6)
