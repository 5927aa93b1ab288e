"""Cluttered places for people to stand in: walls, ground, foliage, furniture, and posts that look like limbs."""

from __future__ import annotations

from typing import Sequence

import cv2
import numpy as np

from pipeline.datasets.sample.materials import draw_cloth_colour, vary

Colour = tuple[float, float, float]


def smooth_noise(rng: np.random.Generator, size_hw: tuple[int, int], cell_px: float) -> np.ndarray:
    """(H, W) float32 noise around 0 with standard deviation 1, made of blobs of about `cell_px` pixels."""
    rows, cols = (max(int(np.ceil(side / cell_px)) + 2, 3) for side in size_hw)
    coarse = rng.standard_normal((rows, cols), dtype=np.float32)
    fine = cv2.resize(coarse, (size_hw[1], size_hw[0]), interpolation=cv2.INTER_CUBIC)
    return fine / max(float(fine.std()), 1e-3)


def _colour(rng: np.random.Generator, echo: Sequence[Colour]) -> Colour:
    """Any colour; one time in three close to one that the people wear."""
    if len(echo) and rng.random() < 0.35:
        return vary(rng, echo[int(rng.integers(len(echo)))], 14)
    return draw_cloth_colour(rng)


def _muted(rng: np.random.Generator, echo: Sequence[Colour]) -> np.ndarray:
    """(3,) float32 colour of a wall or a ground: mostly less loud than clothes."""
    colour = np.array(_colour(rng, echo), dtype=np.float32)
    return colour + rng.uniform(0.2, 0.75) * (colour.mean() + rng.uniform(-10, 50) - colour)


def _gradient(rng: np.random.Generator, low: np.ndarray, high: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32 from one colour to another in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    rows = np.linspace(-0.5, 0.5, size_hw[0], dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    cols = np.linspace(-0.5, 0.5, size_hw[1], dtype=np.float32) * np.float32(np.cos(angle))
    share = np.clip(0.5 + 0.7 * (rows + cols), 0, 1)[..., None]
    return (low + share * (high - low)).astype(np.float32)


def _ground(rng: np.random.Generator, place: np.ndarray, echo: Sequence[Colour]) -> None:
    """A floor or a street from the horizon down, sometimes tiled in perspective."""
    height, width = place.shape[:2]
    horizon = int(height * rng.uniform(0.4, 0.85))
    tone = _muted(rng, echo)
    fall = np.linspace(0.85, 1.12, height - horizon, dtype=np.float32)[:, None, None]
    place[horizon:] = tone * fall
    if rng.random() < 0.4:
        line = tuple(float(value) for value in tone * rng.uniform(0.7, 0.9))
        vanish = width * rng.uniform(0.2, 0.8)
        for foot in np.arange(-2 * width, 3 * width, width * rng.uniform(0.12, 0.3)):
            cv2.line(place, (int(vanish + (foot - vanish) * 0.08), horizon), (int(foot), height), line, 1, cv2.LINE_AA)
        for depth in 1 / np.arange(1, 9):
            row = int(horizon + (height - horizon) * depth)
            cv2.line(place, (0, row), (width, row), line, 1)


def _bricks(rng: np.random.Generator, place: np.ndarray) -> None:
    """Courses of bricks or boards over the whole wall."""
    height = place.shape[0]
    step, factor = int(rng.integers(6, 26)), float(rng.uniform(0.75, 0.93))
    offset = int(rng.integers(step))
    place[offset::step] *= factor
    if rng.random() < 0.6:
        long = int(step * rng.uniform(1.5, 2.6))
        for course, top in enumerate(range(offset, height, step)):
            place[top : top + step, (course % 2) * long // 2 :: long] *= factor


def _foliage(rng: np.random.Generator, place: np.ndarray) -> None:
    """Leaves: two layers of thresholded noise in greens (or autumn browns)."""
    size_hw = (place.shape[0], place.shape[1])
    tint = np.array([60, 110, 45]) if rng.random() < 0.75 else np.array([140, 100, 45])
    region = smooth_noise(rng, size_hw, rng.uniform(40, 120)) > rng.uniform(-0.8, 0.9)
    for _ in range(2):
        leaves = smooth_noise(rng, size_hw, rng.uniform(3, 9))
        shade = (tint * rng.uniform(0.5, 1.3)).astype(np.float32)
        weight = (np.clip(leaves * 2, 0, 1) * region * np.float32(0.9))[..., None]
        place += weight * (shade * (1 + 0.15 * leaves[..., None]) - place)


def draw_box(
    rng: np.random.Generator, place: np.ndarray, corner: tuple[float, float, float, float], colour: Colour
) -> None:
    """Furniture: front and top face of a box; corner is x, y, width, height in pixels of `place`."""
    x, y, width, height = corner
    skew, rise = rng.uniform(-0.25, 0.25) * width, rng.uniform(0.08, 0.3) * height
    front = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    top = np.array([[x, y], [x + width, y], [x + width + skew, y - rise], [x + skew, y - rise]])
    for face, light in ((front, rng.uniform(0.65, 0.95)), (top, rng.uniform(0.95, 1.2))):
        shade = tuple(min(value * light, 255.0) for value in colour)
        cv2.fillPoly(place, [np.round(face * 8).astype(np.int32)], shade, cv2.LINE_AA, 3)
    if rng.random() < 0.5:
        line = tuple(value * 0.55 for value in colour)
        for share in np.linspace(0, 1, int(rng.integers(3, 6)))[1:-1]:
            row = int(y + share * height)
            cv2.line(place, (int(x), row), (int(x + width), row), line, 1, cv2.LINE_AA)


def _post(rng: np.random.Generator, place: np.ndarray, echo: Sequence[Colour]) -> None:
    """A round bar of any direction, shaded like a limb."""
    height, width = place.shape[:2]
    start = rng.uniform((0, 0), (width, height))
    angle = rng.normal(np.pi / 2, 0.5)
    end = start + rng.uniform(0.15, 0.9) * height * np.array([np.cos(angle), np.sin(angle)])
    radius = rng.uniform(0.008, 0.035) * height
    across = np.array([np.sin(angle), -np.cos(angle)]) * radius
    colour = np.array(_colour(rng, echo))
    for share in (1.0, 0.72, 0.4):
        offset = across * (1 - share) * 0.5
        quad = np.array(
            [start + across * share, end + across * share * 0.8, end - across * share * 0.8, start - across * share]
        )
        tone = tuple(float(value) for value in np.clip(colour * (1.15 - 0.45 * share), 0, 255))
        cv2.fillPoly(place, [np.round((quad + offset) * 8).astype(np.int32)], tone, cv2.LINE_AA, 3)


def _blob(rng: np.random.Generator, place: np.ndarray, echo: Sequence[Colour]) -> None:
    """A polygon or an ellipse of one colour."""
    height, width = place.shape[:2]
    centre = rng.uniform((0, 0), (width, height))
    angles = np.sort(rng.uniform(0, 2 * np.pi, size=int(rng.integers(3, 8))))
    radii = rng.uniform(0.04, 0.28) * height * rng.uniform(0.5, 1, size=len(angles))
    points = centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cv2.fillPoly(place, [np.round(points * 8).astype(np.int32)], _colour(rng, echo), cv2.LINE_AA, 3)


def draw_background(rng: np.random.Generator, size_hw: tuple[int, int], echo: Sequence[Colour]) -> np.ndarray:
    """(H, W, 3) float32 RGB 0-255; `echo` are the colours of the people, which some things take up."""
    height, width = size_hw
    place = _gradient(rng, _muted(rng, echo), _muted(rng, echo), size_hw)
    if rng.random() < 0.3:
        _bricks(rng, place)
    if rng.random() < 0.7:
        _ground(rng, place, echo)
    if rng.random() < 0.35:
        _foliage(rng, place)
    for _ in range(int(rng.integers(0, 5))):
        wide, tall = rng.uniform(0.08, 0.45) * width, rng.uniform(0.08, 0.5) * height
        corner = (rng.uniform(-0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height, wide, tall)
        draw_box(rng, place, corner, _colour(rng, echo))
    for _ in range(int(rng.integers(0, 5))):
        _blob(rng, place, echo)
    for _ in range(int(rng.integers(0, 6))):
        _post(rng, place, echo)
    place *= 1 + rng.uniform(0.01, 0.07) * smooth_noise(rng, size_hw, rng.uniform(2, 7))[..., None]
    blur = rng.uniform(-0.6, 1.5)
    return cv2.GaussianBlur(place, (0, 0), blur) if blur > 0.3 else place


def darken_below(place: np.ndarray, feet: np.ndarray, radius: float, strength: float) -> None:
    """A soft shadow on the ground: (3,) feet gives x, y in pixels of `place`, radius its half-width."""
    height, width = place.shape[:2]
    reach_x, reach_y = 1.6 * radius, 0.55 * radius
    x0, x1 = max(int(feet[0] - reach_x), 0), min(int(feet[0] + reach_x) + 1, width)
    y0, y1 = max(int(feet[1] - reach_y), 0), min(int(feet[1] + reach_y) + 1, height)
    if x1 <= x0 or y1 <= y0:
        return
    dx = (np.arange(x0, x1, dtype=np.float32) - np.float32(feet[0])) / np.float32(reach_x)
    dy = ((np.arange(y0, y1, dtype=np.float32) - np.float32(feet[1])) / np.float32(reach_y))[:, None]
    falloff = np.clip(1 - dx * dx - dy * dy, 0, 1)
    place[y0:y1, x0:x1] *= (1 - np.float32(strength) * falloff)[..., None]
