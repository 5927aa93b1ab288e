"""The people of a photo: what a parser gives for each of them, and the maps of the whole photo that follow from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.geometry.crop import Window, window_of_mask
from pipeline.geometry.paste import PartInstances, part_instances


@dataclass(frozen=True, eq=False)
class Person:
    """One person of a photo.

    Attributes:
        id: the person's value in the map of people, from 1.
        score: how sure it is that this is a person, in [0, 1]; 1 where nobody looked for people.
        found_box: (4,) float32 x, y, w, h in the photo, as the detector has it; the whole photo where nobody looked.
        window: the part of the photo that holds all the person's pixels.
        window_parts: (h, w) uint8 part ids of the window, 0 where it is not this person.
        keypoints: (K, 3) float32 x, y in the photo and the confidence in [0, 1].
        part_scores: part id -> score of that part: the person's score times the mean probability of the part's pixels.
        image_hw: (height, width) of the photo.
    """

    id: int
    score: float
    found_box: np.ndarray
    window: Window
    window_parts: np.ndarray
    keypoints: np.ndarray
    part_scores: Mapping[int, float]
    image_hw: tuple[int, int]

    @property
    def box(self) -> np.ndarray:
        """(4,) float32 x, y, w, h around the person's pixels; `found_box` where there are none."""
        window = window_of_mask(self.window_parts > 0)
        if window.hw == (0, 0):
            return self.found_box
        x, y = self.window.x0 + window.x0, self.window.y0 + window.y0
        return np.array([x, y, window.x1 - window.x0, window.y1 - window.y0], np.float32)

    @property
    def area(self) -> int:
        """Pixels."""
        return int(np.count_nonzero(self.window_parts))

    @property
    def parts(self) -> np.ndarray:
        """(H, W) uint8 part ids in the photo, 0 where it is not this person."""
        return Window(0, 0, *self.image_hw[::-1]).look_at(self.window_parts, self.window)

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool: the person's pixels in the photo."""
        return self.parts > 0


def part_map(people: Sequence[Person], image_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 part ids of everyone; people share no pixel."""
    parts = np.zeros(image_hw, np.uint8)
    for person in people:
        parts[_place(person)] += person.window_parts
    return parts


def person_map(people: Sequence[Person], image_hw: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 ids of the people, 0 where nobody is."""
    ids = np.zeros(image_hw, np.uint8)
    for person in people:
        ids[_place(person)] += (person.window_parts > 0) * np.uint8(person.id)
    return ids


def instances_of(people: Sequence[Person], image_hw: tuple[int, int]) -> tuple[PartInstances, list[float]]:
    """Every part of every person, by person and part, and their scores."""
    found = part_instances(part_map(people, image_hw), person_map(people, image_hw))
    of = {person.id: person for person in people}
    scores = [of[int(who)].part_scores[int(part)] for part, who in zip(found.classes, found.people, strict=True)]
    return found, scores


def _place(person: Person) -> tuple[slice, slice]:
    window = person.window
    return slice(window.y0, window.y1), slice(window.x0, window.x1)
