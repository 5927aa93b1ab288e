"""Many photos, one after the other: the next is read while the network is busy, and the last one written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from pipeline.shards.step import Finding, ShardReport
from trainer.callbacks import Progress, no_progress
from trainer.photos.cutting import photo_record, whole_photo
from trainer.photos.files import coco_people, photo_files
from trainer.photos.finding import Photo
from trainer.photos.opening import Opened, open_photos
from trainer.photos.parser import Parser
from trainer.photos.people import Person
from trainer.photos.results import ResultFolder


@dataclass
class Told:
    """What became of the photos.

    Attributes:
        rejects: photos that could not be used.
        kept: photos that were done in a run before.
    """

    rejects: list[Finding] = field(default_factory=list)
    kept: int = 0


@dataclass(frozen=True, eq=False)
class Parsed:
    """A photo's people.

    Attributes:
        opened: the photo.
        image: (H, W, 3) uint8 RGB.
        people: everyone who was cut out.
        outcomes: that nobody was found, and people who were left out or of whom nothing is seen.
    """

    opened: Opened
    image: np.ndarray
    people: Sequence[Person]
    outcomes: Sequence[Finding]


def predict_photos(
    parser: Parser,
    photos: Sequence[Photo],
    root: Path,
    folder: ResultFolder,
    detect: bool,
    least_confidence: float,
    progress: Progress = no_progress,
) -> Told:
    """Parse photos and write what is found; goes on past those that cannot be used.

    Args:
        parser: whose answers.
        photos: which; those that `folder` holds already are passed over.
        root: what the photos' paths are told relative to.
        folder: where to.
        detect: look for people; else every photo is one person.
        least_confidence: of a joint that counts.
        progress: called with the photos done and their number.

    Raises:
        DataError: the disk is full.
    """
    told = Told()
    with _Behind() as behind:
        for done, opened in enumerate(open_photos(photos, lambda *which: not folder.holds(*which)), start=1):
            if opened.error:
                told.rejects.append(Finding(opened.photo.name, opened.error))
            elif opened.image is None:
                told.kept += 1
            else:
                try:
                    parsed = _parse(parser, opened, opened.image, detect)
                except DataError as error:  # more than a GPU's memory holds
                    told.rejects.append(Finding(opened.photo.name, f"{opened.photo.path}: {error}"))
                else:
                    behind.do(partial(_write, parsed, parser, root, folder, least_confidence))
            progress(done, len(photos))
    return told


def _parse(parser: Parser, opened: Opened, image: np.ndarray, detect: bool) -> Parsed:
    report = ShardReport()
    if detect:
        people = parser.look(photo_record(opened.photo.name, opened.data, image), image, report)[1]
    else:
        people = parser.parse([whole_photo(image)], image, opened.photo.name, report)
    return Parsed(opened, image, people, report.outcomes)


def _write(parsed: Parsed, parser: Parser, root: Path, folder: ResultFolder, least_confidence: float) -> None:
    photo, (height, width) = parsed.opened.photo, parsed.image.shape[:2]
    about = {
        "file_name": photo.path.relative_to(root).as_posix(),
        "height": height,
        "width": width,
        "people": coco_people(parsed.people, least_confidence),
        "outcomes": [finding.content() for finding in parsed.outcomes],
    }
    files = photo_files(photo.name, parsed.image, parsed.people, parser.label_set, parser.keypoint_set)
    folder.keep(photo.name, parsed.opened.sha256, about, files)


class _Behind:
    """Does things in a thread, in order, never more than one behind."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "write")
        self._last: Future[None] | None = None

    def __enter__(self) -> _Behind:
        return self

    def do(self, work: Callable[[], None]) -> None:
        """Begin this one when the one before is done; raises what that one raised."""
        self._wait()
        self._last = self._thread.submit(work)

    def _wait(self) -> None:
        if self._last is not None:
            last, self._last = self._last, None
            last.result()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._wait()
        finally:
            self._thread.shutdown()
