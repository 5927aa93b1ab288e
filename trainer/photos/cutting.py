"""The people of a photo cut out for the parser, by the crop step's own functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.geometry.affine import translation
from pipeline.geometry.crop import window_in_source
from pipeline.geometry.paste import paste_people
from pipeline.records import ImageRecord, People
from pipeline.shards.step import ShardReport
from pipeline.steps.crop import VERSION
from pipeline.steps.cutting import CutRules, Scene
from pipeline.steps.judging import Identity


@dataclass(frozen=True, eq=False)
class Cut:
    """A person cut out of a photo.

    Attributes:
        person: the person's value in the map of people.
        image: (h, w, 3) uint8 RGB, other people painted over where the rules say so.
        figure: (h, w) bool, the mask that the person was found by.
        to_source: (2, 3) crop pixels -> photo pixels, a shift by whole pixels.
        box: (4,) x, y, w, h in the photo.
        score: how sure it is that this is a person.
    """

    person: int
    image: np.ndarray
    figure: np.ndarray
    to_source: np.ndarray
    box: np.ndarray
    score: float


def photo_record(
    name: str, data: bytes, image: np.ndarray, path: str = "photo", dataset: str = "photos"
) -> ImageRecord:
    """A photo as the record of a data set's image that nobody has annotated.

    Args:
        name: of the photo.
        data: the file's bytes.
        image: (H, W, 3) uint8 RGB pixels, upright.
        path: of its file.
        dataset: what the set is called.
    """
    height, width = image.shape[:2]
    return ImageRecord(name, dataset, "train", data, path, width, height, None, None, People.empty())


def scene_of(record: ImageRecord, image: np.ndarray, people: People, made_by: Mapping[str, str]) -> Scene:
    """The photo with its people, everyone by their own id; `made_by` joins the crops' provenance."""
    identities = [Identity(int(person), None) for person in people.ids]
    sha256 = hashlib.sha256(record.image).hexdigest()
    return Scene(record, image, people, identities, {"image_sha256": sha256, "crop": str(VERSION), **made_by})


def cut_people(scene: Scene, rules: CutRules, report: ShardReport) -> list[Cut]:
    """The people who are large enough; `report` is told of the others."""
    figures = {figure.id: figure for figure in scene.figures}
    cuts = []
    for sample in scene.cut_all(rules, report):
        image = sample.decode_image()
        window = window_in_source(image.shape[:2], sample.to_source, scene.image.shape[:2])
        figure = figures[sample.person].seen_from(window)
        cuts.append(Cut(sample.person, image, figure, sample.to_source, sample.box, sample.score))
    return cuts


def whole_photo(image: np.ndarray) -> Cut:
    """The whole photo as one person."""
    height, width = image.shape[:2]
    box = np.array([0, 0, width, height], np.float32)
    return Cut(1, image, np.ones((height, width), bool), translation(0, 0), box, 1.0)


def put_back(cuts: Sequence[Cut], masks: Sequence[np.ndarray], image_hw: tuple[int, int]) -> list[np.ndarray]:
    """Per cut the (h, w) uint8 part ids that are this person's in the photo; no pixel is two people's.

    Args:
        cuts: everyone in the photo.
        masks: per cut (h, w) uint8 part ids, of the cut's size.
        image_hw: (height, width) of the photo.
    """
    pasted = paste_people(
        masks, [cut.to_source for cut in cuts], [cut.score for cut in cuts], image_hw, [cut.figure for cut in cuts]
    )
    windows = [window_in_source(cut.figure.shape, cut.to_source, image_hw) for cut in cuts]
    return [
        np.where(window.cut(pasted.people) == place, window.cut(pasted.parts), np.uint8(0))
        for place, window in enumerate(windows, start=1)
    ]
