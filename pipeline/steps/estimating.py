"""The joints that a pose teacher finds in people's crops: kept ones where it has seen the pixels before, else found now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.pose.base import PoseEstimator
from pipeline.shards.raw_outputs import Question, RawOutputs, Row, answers, pixels_key, raw_folder

VERSION = 1
"""Raised by hand when an estimator's own code gives other joints for the same pixels and weights, or the rows change."""

MOST_PEOPLE = 64
"""Of a call, each in a crop of their own."""

Item = TypeVar("Item")
_SCHEMA = pa.schema([("key", pa.string()), ("joints", pa.list_(pa.list_(pa.float32(), 3)))])


class RawJoints:
    """A pose teacher's joints before any choice of ours, each person put to the network once and for all.

    Args:
        estimator: loaded once, for all shards of the process.
        scratch: the project's scratch folder.
        reload: the estimator anew, in the process that a pickled RawJoints comes to; picklable. Without it there is no
            pickling: weights are loaded from their file, not sent about.
    """

    def __init__(
        self, estimator: PoseEstimator, scratch: Path, reload: Callable[[], PoseEstimator] | None = None
    ) -> None:
        self._scratch, self._reload = scratch, reload
        self.estimator = estimator
        folder = raw_folder(scratch, estimator.teacher_id, joints=VERSION, **asdict(estimator.settings))
        self._kept = RawOutputs(folder, _SCHEMA)

    @property
    def folder(self) -> Path:
        """Where its answers are kept."""
        return self._kept.folder

    def __reduce__(self) -> tuple[Any, ...]:
        return _reloaded, (self._scratch, self._reload)

    def of(self, people: Iterable[tuple[Item, np.ndarray, np.ndarray]]) -> Iterator[tuple[Item, np.ndarray]]:
        """Who, and their (K, 3) float32 joints x, y, confidence in the image's pixels, in order.

        Args:
            people: of one shard: who, (H, W, 3) uint8 image, and (4,) box x, y, w, h in its pixels; taken in a thread, while
                the network is busy with those before.
        """
        questions = (
            Question((who, box), image, pixels_key(image, np.asarray(box, np.float32))) for who, image, box in people
        )
        for question, row in answers(questions, self._kept, self._ask, MOST_PEOPLE):
            yield question.item[0], np.array(row["joints"], np.float32)

    def _ask(self, questions: Sequence[Question[tuple[Item, np.ndarray]]]) -> list[Row]:
        boxes = [np.asarray(question.item[1], np.float32)[None] for question in questions]
        found = self.estimator.estimate_many([question.image for question in questions], boxes)
        return [{"joints": joints[0].tolist()} for joints in found]


def _reloaded(scratch: Path, reload: Callable[[], PoseEstimator] | None) -> RawJoints:
    if reload is None:
        raise ValueError("reload: None, expected a function that loads the estimator in another process")
    return RawJoints(reload(), scratch, reload)
