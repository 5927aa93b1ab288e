"""One image's people, each cut out with the labels that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.geometry.crop import Window, window_of_box, window_of_mask
from pipeline.images import encode_jpeg, encode_png
from pipeline.records import ImageRecord, People, Sample
from pipeline.shards.step import Finding, ShardReport
from pipeline.steps.judging import Identity
from pipeline.taxonomy import IGNORE


@dataclass(frozen=True)
class CutRules:
    """How a person is cut out.

    Attributes:
        others: what becomes of other people's pixels: "black" paints them over, "keep" leaves them.
        others_label: their label: background where they are painted over, 255 where they are kept.
        min_area: people of fewer visible pixels are left out.
        expand: share of the box's sides that is added around it.
    """

    others: str
    others_label: int
    min_area: int
    expand: float


@dataclass(frozen=True, eq=False)
class _Figure:
    """A person's mask, no larger than it is.

    Attributes:
        window: where it lies in the image.
        mask: (h, w) bool of the window's size.
        id: in a map of ids drawn from the figures.
        body: as in Identity.
    """

    window: Window
    mask: np.ndarray
    id: int
    body: int

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.mask.sum())

    def seen_from(self, window: Window) -> np.ndarray:
        """(h, w) bool mask in another window of the image."""
        return window.look_at(self.mask, self.window)


class Scene:
    """An image with its people and labels decoded once, to cut from.

    Args:
        image: (H, W, 3) uint8 RGB pixels of the record.
        people: everyone who was found or is annotated, all with masks.
        identities: who they are.
        provenance: of the crops.
    """

    def __init__(
        self,
        record: ImageRecord,
        image: np.ndarray,
        people: People,
        identities: Sequence[Identity],
        provenance: Mapping[str, str],
    ) -> None:
        self.record, self.image, self.people, self.identities = record, image, people, identities
        self.provenance = provenance
        self.figures = [
            _figure(people.mask(index), int(person), identity.body)
            for index, (person, identity) in enumerate(zip(people.ids, identities, strict=True))
        ]
        self.mask = record.decode_mask()
        self.ids = record.person_ids()

    def cut_all(self, rules: CutRules, report: ShardReport) -> Iterator[Sample]:
        """The crop of every person who is somebody and large enough; the small ones are counted and listed."""
        for index, identity in enumerate(self.identities):
            if identity.person is None:
                continue
            area = self.figures[index].area
            if area < max(1, rules.min_area):
                report.counts["small"] += 1
                name = f"{self.record.sample_id}_{identity.person}"
                report.outcomes.append(Finding(name, f"{area} pixels, crop.min_area is {rules.min_area}"))
            else:
                yield self._cut(index, identity.person, rules)

    def _cut(self, index: int, person: int, rules: CutRules) -> Sample:
        record = self.record
        window = window_of_box(self.people.boxes[index], (record.height, record.width), rules.expand)
        others = self._others(index, window)
        crop = window.cut(self.image)
        ids = self._drawn_ids(index, window) if self.ids is None else window.cut(self.ids)
        if rules.others == "black":
            crop[others] = 0
            ids[others] = 0
        return Sample(
            sample_id=f"{record.sample_id}_{person}",
            source_id=record.sample_id,
            dataset=record.dataset,
            split=record.split,
            image=encode_jpeg(crop),
            path=record.path,
            width=crop.shape[1],
            height=crop.shape[0],
            mask=self._labels(window, others, person, rules.others_label),
            people_map=encode_png(ids),
            keypoints=self._keypoints(index, window),
            box=self.people.boxes[index],
            score=float(self.people.scores[index]),
            to_source=window.to_source,
            person=person,
            provenance=self.provenance,
        )

    def _others(self, index: int, window: Window) -> np.ndarray:
        """(h, w) bool: pixels of other people that are not this one's too. A second mask on this body is no other person."""
        own = self.figures[index]
        others = np.zeros(window.hw, bool)
        for place, figure in enumerate(self.figures):
            if place != index and (figure.body < 0 or figure.body != own.body):
                others |= figure.seen_from(window)
        return others & ~own.seen_from(window)

    def _labels(self, window: Window, others: np.ndarray, person: int, others_label: int) -> bytes | None:
        """PNG of the crop's part mask.

        Other people get `others_label`. Labels of annotated people who stay in the picture, because the detector missed
        them or saw less of them, are nobody's to learn: 255.
        """
        if self.mask is None:
            return None
        labels = window.cut(self.mask)
        if self.ids is not None:
            ids = window.cut(self.ids)
            labels[(ids != 0) & (ids != person)] = IGNORE
        labels[others] = others_label
        return encode_png(labels)

    def _drawn_ids(self, index: int, window: Window) -> np.ndarray:
        """(h, w) uint8 ids of the people found; where they overlap the smaller one, and before all this one, is on top."""
        order = sorted(range(len(self.figures)), key=lambda place: (place == index, -self.figures[place].area))
        return _drawn([self.figures[place] for place in order], window)

    def _keypoints(self, index: int, window: Window) -> np.ndarray | None:
        """(K, 3) float32 annotated joints in crop pixels; None where there are none."""
        known, person = self.record.people, self.identities[index].annotated
        if known.keypoints is None or person is None:
            return None
        rows = np.flatnonzero(known.ids == person)
        if not len(rows):
            return None
        keypoints: np.ndarray = known.keypoints[rows[0]].copy()
        keypoints[:, :2] -= np.where(keypoints[:, 2:] > 0, [window.x0, window.y0], 0).astype(np.float32)
        return keypoints


def _figure(mask: np.ndarray, person: int, body: int) -> _Figure:
    window = window_of_mask(mask)
    return _Figure(window, window.cut(mask), person, body)


def _drawn(figures: Sequence[_Figure], window: Window) -> np.ndarray:
    """(h, w) uint8 ids of figures, the last ones on top."""
    ids = np.zeros(window.hw, np.uint8)
    for figure in figures:
        ids[figure.seen_from(window)] = figure.id
    return ids
