"""Whole source images with their own labels, and the people who were parsed in their crops put back into them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from pipeline.errors import DataError
from pipeline.geometry.affine import transform_points
from pipeline.geometry.crop import window_in_source
from pipeline.geometry.paste import PartInstances, Pasted, part_instances, paste_people
from pipeline.images import decode_map
from pipeline.records import ImageRecord
from pipeline.rows import image_from_row
from pipeline.shards import Shards, open_shards
from pipeline.taxonomy import KeypointSet, LabelSet, convert_keypoints
from trainer.data.samples import keypoint_source, label_table
from trainer.predict import Answer

Key = tuple[int, str]
"""Place of the data set among those judged, and the image's id in it."""

_RECORD_COLUMNS = ["sample_id", "dataset", "split", "image.path", "width", "height", "mask", "people", "persons"]
_PLACE_COLUMNS = ["source_id", "people", "person", "score", "to_source"]


@dataclass(frozen=True, eq=False)
class SourceImage:
    """A source image's labels, in the model's sets.

    Attributes:
        record: as ingest wrote it, without the image's bytes unless they were asked for.
        parts: (H, W) uint8 part ids; None where the image has no labels.
        keypoints: (N, K, 3) float32 x, y, v of the annotated people; None where the set has no joints.
    """

    record: ImageRecord
    parts: np.ndarray | None
    keypoints: np.ndarray | None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.record.dataset}/{self.record.split}: image {self.record.sample_id}"

    def require_parts(self) -> np.ndarray:
        """The part ids.

        Raises:
            DataError: the image has none.
        """
        if self.parts is None:
            raise DataError(
                f"{self.name} has no part mask to judge by. Evaluate a labelled split, or give --submission"
            )
        return self.parts


@dataclass(frozen=True, eq=False)
class JudgedImage:
    """A source image and the people found in it.

    Attributes:
        source: what is true of it.
        pasted: part ids, and whose they are: 1 + the person's row.
        scores: (N,) float64, how sure the detector was of each person.
        keypoints: (N, K, 3) float64 x, y in image pixels and the heatmap's peak; K is 0 without a pose head.
        confidence: (H, W) float32 probability of the pixel's class; 0 where nobody is, or where the parser did not tell it.
        grouped: (P, K, 3), as keypoints, of people who were found by looking at the whole image; nan where one lacks the
            joint; None where nobody looked.
    """

    source: SourceImage
    pasted: Pasted
    scores: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray
    grouped: np.ndarray | None = None

    @cached_property
    def instances(self) -> PartInstances:
        """The parts of the people."""
        return part_instances(*self.pasted)

    @cached_property
    def instance_scores(self) -> np.ndarray:
        """(M,) float64 of `instances`: the person's score times the mean probability of the part's pixels."""
        found = self.instances
        sums = np.bincount(found.ids.ravel(), weights=self.confidence.ravel(), minlength=len(found.classes) + 1)
        counts = np.bincount(found.ids.ravel(), minlength=len(found.classes) + 1)
        return self.scores[found.people - 1] * (sums[1:] / counts[1:])


class SourceImages:
    """The images of the splits of several data sets, in order."""

    def __init__(
        self,
        folders: Sequence[Path],
        label_set: LabelSet,
        keypoint_set: KeypointSet,
        label_maps: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        pictures: bool = False,
    ) -> None:
        """Open the folders of ingest; with `pictures` read the images themselves; other arguments as of ParsingSamples.

        Raises:
            DataError: a folder has no records.
            ParamsError: the label set of a folder has classes that `label_set` lacks.
        """
        self._keypoint_set = keypoint_set
        self._pictures = pictures
        self._shards = [open_shards(folder) for folder in folders]
        self._tables = [
            None if shards.manifest.parts is None else label_table(shards, label_set, label_maps)
            for shards in self._shards
        ]
        self._joints = [keypoint_source(shards) for shards in self._shards]

    def __len__(self) -> int:
        return sum(map(len, self._shards))

    def keys(self) -> list[Key]:
        """Of all images, in order."""
        rows = ((place, row) for place, shards in enumerate(self._shards) for row in shards.rows(["sample_id"]))
        return [(place, row["sample_id"]) for place, row in rows]

    def read(self, wanted: range) -> Iterator[tuple[Key, SourceImage]]:
        """Those images, one at a time in memory."""
        return islice(self._read(), wanted.start, wanted.stop)

    def _read(self) -> Iterator[tuple[Key, SourceImage]]:
        for place, shards in enumerate(self._shards):
            image = ["image.bytes"] if self._pictures else []
            for row in shards.rows([*_RECORD_COLUMNS, *image]):
                row["image"] = {"bytes": b"", **row["image"]}
                record = image_from_row(row)
                yield (place, record.sample_id), self._source(place, record)

    def _source(self, place: int, record: ImageRecord) -> SourceImage:
        parts, table, joints = record.decode_mask(), self._tables[place], self._joints[place]
        keypoints = None
        if joints is not None:
            known = record.people.keypoints
            known = np.zeros((0, len(joints), 3), np.float32) if known is None else known
            keypoints = convert_keypoints(known, joints, self._keypoint_set)
        return SourceImage(record, None if parts is None or table is None else table[parts], keypoints)


class Place(NamedTuple):
    """Where a crop came from.

    Attributes:
        key: of the source image.
        score: how sure the detector was of the person.
        to_source: (2, 3) crop pixels -> image pixels.
        figure: (h, w) bool, the mask that the person was cut out by; None where the crop is the whole image.
    """

    key: Key
    score: float
    to_source: np.ndarray
    figure: np.ndarray | None


def crop_keys(shards: Sequence[Shards]) -> list[Key]:
    """The source image of every crop, in order."""
    rows = ((place, row) for place, one in enumerate(shards) for row in one.rows(["source_id"]))
    return [(place, row["source_id"]) for place, row in rows]


def crop_places(shards: Sequence[Shards], wanted: range) -> Iterator[Place]:
    """Where those crops came from, in order."""
    rows = ((place, row) for place, one in enumerate(shards) for row in one.rows(_PLACE_COLUMNS))
    for place, row in islice(rows, wanted.start, wanted.stop):
        yield Place((place, row["source_id"]), float(row["score"]), np.array(row["to_source"]), _figure(row))


def _figure(row: Mapping[str, Any]) -> np.ndarray | None:
    if row["people"] is None:
        return None
    return decode_map(row["people"], f"person ids of a crop of {row['source_id']}") == row["person"]


def crops_of(images: range, image_keys: Sequence[Key], keys: Sequence[Key]) -> range:
    """The crops of neighbouring images.

    Args:
        images: places of the images.
        image_keys, keys: of all images, and of all crops.

    Raises:
        DataError: crops are of other images, or in another order.
    """
    order = {key: place for place, key in enumerate(image_keys)}
    places = [order.get(key, -1) for key in keys]
    if -1 in places or places != sorted(places):
        raise DataError("data/shards: its crops are not those of data/ingest in their order. Run `dvc repro` first")
    return range(bisect_left(places, images.start), bisect_left(places, images.stop))


class Assembler:
    """Takes crops in order, gives each image with its people to `sink` when they are together, one at a time."""

    def __init__(self, images: Iterable[tuple[Key, SourceImage]], sink: Callable[[JudgedImage], None]) -> None:
        """The images are those of the crops, with others between them of which there are none."""
        self._images = iter(images)
        self._sink = sink
        self._crops: list[tuple[Place, Answer]] = []

    def add(self, place: Place, answer: Answer) -> None:
        """The next crop."""
        if self._crops and self._crops[0][0].key != place.key:
            self._give()
        self._crops.append((place, answer))

    def finish(self) -> None:
        """No crop comes any more."""
        if self._crops:
            self._give()
        for _, image in self._images:
            self._sink(assembled(image, []))

    def _give(self) -> None:
        for key, image in self._images:
            if key == self._crops[0][0].key:
                self._sink(assembled(image, self._crops))
                break
            self._sink(assembled(image, []))
        self._crops = []


def assembled(source: SourceImage, crops: Sequence[tuple[Place, Answer]]) -> JudgedImage:
    """The image with the people of its crops put back."""
    image_hw = (source.record.height, source.record.width)
    scores = [place.score for place, _ in crops]
    figures = [np.ones(answer.mask.shape, bool) if place.figure is None else place.figure for place, answer in crops]
    masks, ways = [answer.mask for _, answer in crops], [place.to_source for place, _ in crops]
    pasted = paste_people(masks, ways, scores, image_hw, figures)
    confidence = np.zeros(image_hw, np.float32)
    joints = np.zeros((len(crops), len(crops[0][1].keypoints) if crops else 0, 3))
    for row, (place, answer) in enumerate(crops, start=1):
        window = window_in_source(answer.mask.shape, place.to_source, image_hw)
        rows, columns = slice(window.y0, window.y1), slice(window.x0, window.x1)
        own = pasted.people[rows, columns] == row
        if answer.confidence is not None:
            confidence[rows, columns][own] = answer.confidence[own]
        points = transform_points(place.to_source, answer.keypoints[:, :2])
        joints[row - 1] = np.column_stack([points, answer.keypoints[:, 2]])
    return JudgedImage(source, pasted, np.array(scores), joints, confidence)
