"""The people that a detector finds in a shard's images: kept ones where it has seen the pixels before, else found now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.detection.base import PersonDetector
from pipeline.records import ImageRecord, People
from pipeline.shards.raw_outputs import Question, RawOutputs, Row, answers, pixels_key, raw_folder

VERSION = 1
"""Raised by hand when a detector's own code gives other people for the same pixels and weights, or the rows change."""

_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("boxes", pa.list_(pa.list_(pa.float32(), 4))),
        ("scores", pa.list_(pa.float32())),
        ("rle_counts", pa.list_(pa.string())),
    ]
)


class RawPeople:
    """A detector's people before any choice of ours, each image put to the network once and for all.

    Args:
        detector: loaded once, for all shards of the process.
        scratch: the project's scratch folder.
        reload: the detector anew, in the process that a pickled RawPeople comes to; picklable. Without it there is no
            pickling: weights are loaded from their file, not sent about.
    """

    def __init__(
        self, detector: PersonDetector, scratch: Path, reload: Callable[[], PersonDetector] | None = None
    ) -> None:
        self._scratch, self._reload = scratch, reload
        self.teacher_id = detector.teacher_id
        self._detector = detector
        self._kept = RawOutputs(raw_folder(scratch, detector.teacher_id, people=VERSION), _SCHEMA)

    @property
    def folder(self) -> Path:
        """Where its answers are kept."""
        return self._kept.folder

    def __reduce__(self) -> tuple[Any, ...]:
        return _reloaded, (self._scratch, self._reload)

    def of(self, records: Iterable[ImageRecord]) -> Iterator[tuple[ImageRecord, np.ndarray, People]]:
        """Record, its (H, W, 3) uint8 pixels and its people, in order; the records are those of one shard.

        Raises:
            DataError: an image cannot be decoded.
        """
        for question, row in answers(map(_question, records), self._kept, self._ask):
            yield question.item, question.image, _people(row, question.image.shape[:2])

    @property
    def halvings(self) -> int:
        """How often the detector's GPU ran out of memory so far, and a batch was halved."""
        return self._detector.halvings

    def _ask(self, questions: Sequence[Question[ImageRecord]]) -> list[Row]:
        return [_row(people) for people in self._detector.detect_many([question.image for question in questions])]


def _reloaded(scratch: Path, reload: Callable[[], PersonDetector] | None) -> RawPeople:
    if reload is None:
        raise ValueError("reload: None, expected a function that loads the detector in another process")
    return RawPeople(reload(), scratch, reload)


def _question(record: ImageRecord) -> Question[ImageRecord]:
    image = record.decode_image()
    return Question(record, image, pixels_key(image))


def _row(people: People) -> dict[str, Any]:
    return {
        "boxes": people.boxes.tolist(),
        "scores": people.scores.tolist(),
        "rle_counts": [None if rle is None else rle["counts"] for rle in people.rles],
    }


def _people(row: Row, image_hw: tuple[int, ...]) -> People:
    rles = [None if counts is None else {"size": list(image_hw), "counts": counts} for counts in row["rle_counts"]]
    return People.build(range(1, len(rles) + 1), row["boxes"], scores=row["scores"], rles=rles)
