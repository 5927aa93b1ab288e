"""Draws scenes of people together with their exact labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.datasets.sample.background import darken_below, draw_background, draw_box, smooth_noise
from pipeline.datasets.sample.camera import draw_light, photograph
from pipeline.datasets.sample.covering import Placement
from pipeline.datasets.sample.figure import Figure, draw_figure
from pipeline.datasets.sample.materials import draw_cloth_colour
from pipeline.datasets.sample.part_names import PART_NAMES
from pipeline.datasets.sample.render import OVERSAMPLING, Canvas, draw_figure_on, joint_visibility

_CROWD, _BYSTANDER, _THING = 255, 254, 253
_SMALLEST_PX = 25
"""People of whom fewer pixels are seen are left unlabelled."""

Joints = dict[str, tuple[float, float, int]]


@dataclass(frozen=True)
class SampleScene:
    """A drawn image and its truth.

    image: (H, W, 3) uint8 RGB. parts: (H, W) uint8 ids of PART_NAMES. body: (H, W) uint8 ids of label set "pascal".
    people: (H, W) uint8 person ids 1..N, the nearest first, 0 elsewhere. crowd: (H, W) bool, people too far away to
    tell apart (unlabelled in the other maps). things: (H, W) uint8, 1 on furniture before the people.
    joints: per person name -> (x, y, v), v as in COCO: 0 not in the image (x = y = 0), 1 hidden, 2 visible.
    """

    image: np.ndarray
    parts: np.ndarray
    body: np.ndarray
    people: np.ndarray
    crowd: np.ndarray
    things: np.ndarray
    joints: tuple[Joints, ...]


@dataclass(frozen=True)
class _Placed:
    """A figure and its place on the drawing grid."""

    figure: Figure
    place: Placement

    @property
    def feet(self) -> np.ndarray:
        """(2,) x, y in image pixels of the middle of its lower end."""
        extent = self.figure.extent
        x = extent[:, 0].mean() * self.place.scale + self.place.offset_x
        y = extent[1, 1] * self.place.scale + self.place.offset_y
        return np.array([x, y]) / OVERSAMPLING


def _stand(figure: Figure, height_px: float, x: float, foot_y: float) -> _Placed:
    """The figure with its middle at column x and its lower end at row foot_y; image pixels."""
    scale = height_px * OVERSAMPLING
    extent = figure.extent
    offset_x = x * OVERSAMPLING - extent[:, 0].mean() * scale
    return _Placed(figure, Placement(scale, offset_x, foot_y * OVERSAMPLING - extent[1, 1] * scale))


def _group(
    rng: np.random.Generator, size_hw: tuple[int, int], figures: list[Figure], heights: tuple[float, float]
) -> list[_Placed]:
    """Figures side by side, the tallest (nearest) first; `heights` bound a body's height in image heights."""
    height, width = size_hw
    count = len(figures)
    sizes = np.sort(rng.uniform(heights[0], heights[1], size=count) * rng.uniform(0.75, 1.0))[::-1] * height
    slots = rng.permutation(count)
    squeeze = rng.uniform(0.55, 1.0)
    placed = []
    for figure, size, slot in zip(figures, sizes, slots, strict=True):
        middle = 0.5 + ((slot + 0.5) / count - 0.5) * squeeze + rng.normal(0, 0.07 + 0.06 / count)
        tall = float(np.diff(figure.extent[:, 1])[0]) * size
        foot = height * rng.uniform(0.38, 0.46) + 0.55 * size
        foot = max(foot, tall + height * rng.uniform(-0.02, 0.1)) if rng.random() < 0.9 else foot
        placed.append(_stand(figure, size, float(np.clip(middle, 0.04, 0.96)) * width, foot))
    return placed


def _far_crowd(rng: np.random.Generator, size_hw: tuple[int, int], count: int) -> list[_Placed]:
    """Tiny people close together at one place of the horizon."""
    height, width = size_hw
    size = rng.uniform(0.09, 0.15) * height
    x, foot = rng.uniform(0.2, 0.8) * width, rng.uniform(0.4, 0.55) * height
    return [
        _stand(
            draw_figure(rng, frozenset(PART_NAMES) - {"bag"}),
            size * rng.uniform(0.85, 1.1),
            x + (slot - count / 2) * size * rng.uniform(0.2, 0.4),
            foot + rng.normal(0, 0.08) * size,
        )
        for slot in range(count)
    ]


def _colours(placed: list[_Placed]) -> list[tuple[float, float, float]]:
    """Colours that the people show."""
    return [material.colour for person in placed for solid in person.figure.solids[:1] for material in solid.materials]


def _draw_thing(rng: np.random.Generator, canvas: Canvas, size_hw: tuple[int, int]) -> None:
    """A bench or a table in the foreground, which hides what lies behind."""
    height, width = size_hw
    wide, tall = rng.uniform(0.25, 0.7) * width, rng.uniform(0.1, 0.3) * height
    corner = (rng.uniform(-0.2, 0.8) * width, height - tall * rng.uniform(0.5, 1.2), wide, tall)
    grid = tuple(OVERSAMPLING * value for value in corner)
    before = canvas.colour.copy()
    draw_box(rng, canvas.colour, (grid[0], grid[1], grid[2], grid[3]), draw_cloth_colour(rng))
    changed = np.abs(canvas.colour - before).max(axis=2) > 0.5
    for labels in (canvas.parts, canvas.body):
        labels[changed] = 0
    canvas.people[changed] = _THING


def _labelled(
    rng: np.random.Generator, canvas: Canvas, persons: list[_Placed], depths: list[np.ndarray]
) -> SampleScene:
    """The scene on the image's own grid, with people who are hardly seen left out."""
    even = (slice(None, None, OVERSAMPLING), slice(None, None, OVERSAMPLING))
    seen = canvas.people[even]
    counts = np.bincount(seen.ravel(), minlength=256)
    kept = [index for index in range(len(persons)) if counts[index + 1] >= _SMALLEST_PX]
    renumber = np.zeros(256, dtype=np.uint8)
    joints = []
    for new, index in enumerate(kept):
        renumber[index + 1] = new + 1
        person = persons[index]
        joints.append(joint_visibility(person.figure, person.place, depths[index], canvas.people, index + 1))
    people = renumber[seen]
    known = people > 0
    return SampleScene(
        image=photograph(rng, canvas.image()),
        parts=canvas.parts[even] * known,
        body=canvas.body[even] * known,
        people=people,
        crowd=seen == _CROWD,
        things=(seen == _THING).astype(np.uint8),
        joints=tuple(joints),
    )


def _compose(
    rng: np.random.Generator,
    size_hw: tuple[int, int],
    persons: list[_Placed],
    extras: list[tuple[_Placed, int]],
    thing: float,
) -> SampleScene:
    """Background, then `extras` (with their reserved id), then the persons from the last to the first."""
    background = draw_background(rng, size_hw, _colours(persons))
    for person in persons:
        darken_below(background, person.feet, 0.17 * person.place.scale / OVERSAMPLING, rng.uniform(0.15, 0.55))
    grid_hw = (size_hw[0] * OVERSAMPLING, size_hw[1] * OVERSAMPLING)
    cell = rng.uniform(6, 14)
    grain = np.float32(0.07) * smooth_noise(rng, grid_hw, cell) + np.float32(0.035) * smooth_noise(
        rng, grid_hw, cell / 2.5
    )
    canvas = Canvas.on(background, grain, draw_light(rng))
    for person, reserved in extras:
        draw_figure_on(canvas, person.figure, person.place, reserved)
    depths = [
        draw_figure_on(canvas, persons[index].figure, persons[index].place, index + 1)
        for index in reversed(range(len(persons)))
    ][::-1]
    if rng.random() < thing:
        _draw_thing(rng, canvas, size_hw)
    return _labelled(rng, canvas, persons, depths)


def draw_scene(
    rng: np.random.Generator,
    size_hw: tuple[int, int],
    people: int,
    *,
    allowed: frozenset[str] = frozenset(PART_NAMES),
    heights: tuple[float, float] = (0.4, 1.15),
    crowd: int = 0,
    thing: float = 0.15,
) -> SampleScene:
    """A scene with that many people (fewer where one hides another wholly).

    Args:
        rng: source of all that is random in it.
        size_hw: height and width of the image, pixels.
        people: how many, 0 to 20.
        allowed: names of PART_NAMES that people may show.
        heights: bounds of a standing body's height, in image heights.
        crowd: how many tiny far people to draw as one unlabelled crowd.
        thing: chance of furniture before the people.

    Raises:
        ValueError: a size or a number is out of range.
    """
    if min(size_hw) < 16:
        raise ValueError(f"size_hw: got {size_hw}, expected at least 16 x 16 pixels")
    if not 0 <= people <= 20:
        raise ValueError(f"people: got {people}, expected 0 to 20")
    figures = [draw_figure(rng, allowed) for _ in range(people)]
    persons = _group(rng, size_hw, figures, heights) if figures else []
    extras = [(person, _CROWD) for person in _far_crowd(rng, size_hw, crowd)] if crowd else []
    return _compose(rng, size_hw, persons, extras, thing)


def _crop_window(rng: np.random.Generator, extent: np.ndarray) -> np.ndarray:
    """(2, 2) lowest and highest x, y of a crop about a person, body heights: mostly whole, else legs or a side cut."""
    low, high = extent + np.array([[-1, -1], [1, 1]]) * rng.uniform(0.005, 0.05, size=(2, 2))
    kind, size = rng.random(), extent[1] - extent[0]
    if kind < 0.24 and size[1] > size[0]:
        high[1] = extent[0, 1] + size[1] * rng.uniform(0.4, 0.88)
    elif kind < 0.30:
        low[0] = extent[0, 0] + size[0] * rng.uniform(0.1, 0.4)
    elif kind < 0.36:
        high[0] = extent[1, 0] - size[0] * rng.uniform(0.1, 0.4)
    return np.stack([low, high])


def draw_portrait(
    rng: np.random.Generator, *, allowed: frozenset[str] = frozenset(PART_NAMES), yaw: float | None = None
) -> SampleScene:
    """An image cut about one person, about 60-200 pixels wide and 100-290 high.

    Others may be seen behind the person, but only the person is labelled.
    """
    figure = draw_figure(rng, allowed, yaw)
    window = _crop_window(rng, figure.extent)
    size = window[1] - window[0]
    scale = min(rng.uniform(180, 270) / size[1], 200 / size[0])
    size_hw = (max(int(size[1] * scale), 48), max(int(size[0] * scale), 48))
    middle = window.mean(axis=0)
    grid = scale * OVERSAMPLING
    offset = np.array([size_hw[1], size_hw[0]]) - middle * grid
    person = _Placed(figure, Placement(grid, float(offset[0]), float(offset[1])))
    extras = []
    if rng.random() < 0.14:
        other = draw_figure(rng, allowed)
        side = rng.choice([-1, 1])
        x = size_hw[1] * (0.5 + side * rng.uniform(0.35, 0.6))
        extras.append(
            (_stand(other, scale * rng.uniform(0.6, 0.95), x, person.feet[1] * rng.uniform(0.85, 1)), _BYSTANDER)
        )
    return _compose(rng, size_hw, [person], extras, 0.07)
