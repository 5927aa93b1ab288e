"""What a network gave for what it was shown, kept in scratch: the same question is never asked twice.

A file holds the answers that one shard's run had to ask for, found again by the hash of what the network saw. So neither a
changed limit nor images that moved to other shards cost a call, and a killed run loses one shard's answers at most.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.execution import batches, prefetched
from pipeline.shards.step import content_hash
from pipeline.shards.write import write_whole

Row = Mapping[str, Any]
Item = TypeVar("Item")

MOST_IMAGES = 8
"""Images per call of a network, and of the batch that is decoded meanwhile."""

MOST_PIXELS = 2**25
"""Of such a batch together (100 MB of RGB); a larger image makes a batch of its own."""

_FILES_OPEN = 4  # images that moved by one shard lie in two files, new ones in more


class RawOutputs:
    """The answers of one network, by key.

    A file is called by the hash of its bytes. A damaged one counts as not there: its answers are asked for again. Several
    processes may keep answers at once; each knows those of the others that were there when it began.

    Args:
        folder: of this network and everything else that decides its answers, the schema included.
        schema: of an answer; has a string column "key".
    """

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self.folder = folder
        self.schema = schema
        self._place: dict[str, Path] | None = None
        self._rows = lru_cache(maxsize=_FILES_OPEN)(self._read_rows)

    def find(self, keys: Collection[str]) -> dict[str, Row]:
        """The answers that are kept for these keys."""
        if self._place is None:
            files = sorted(self.folder.glob("*.parquet"))
            self._place = {key: path for path in files for key in self._read_keys(path)}
        found: dict[str, Row] = {}
        for path in {self._place[key]: None for key in keys if key in self._place}:
            rows = self._rows(path)
            found |= {key: rows[key] for key in keys if key in rows}
        return found

    def keep(self, rows: Sequence[Row]) -> None:
        """Write answers as one file, whole or not at all."""
        buffer = io.BytesIO()
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=self.schema)
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        path = self.folder / f"{_digest(data)}.parquet"
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        if self._place is not None:
            self._place |= {row["key"]: path for row in rows}

    def _read_keys(self, path: Path) -> list[str]:
        table = self._read(path)
        keys: list[str] = [] if table is None else table["key"].to_pylist()
        return keys

    def _read_rows(self, path: Path) -> dict[str, Row]:
        table = self._read(path)
        return {} if table is None else {row["key"]: row for row in table.to_pylist()}

    def _read(self, path: Path) -> pa.Table | None:
        """A file's answers; None where its bytes are not those of its name, or it has gone."""
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False) if _digest(data) == path.stem else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:40]


def raw_folder(scratch: Path, teacher_id: str, **settings: Any) -> Path:
    """Where the answers of a teacher are kept.

    Args:
        scratch: the project's scratch folder.
        teacher_id: names the network and its weights.
        settings: JSON-able; all else that decides an answer, the version of the answers' own code and schema among it.
    """
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", teacher_id)
    return scratch / "raw" / f"{name}-{content_hash(teacher_id, settings)[:8]}"


@dataclass(frozen=True, eq=False)
class Question(Generic[Item]):
    """Something shown to a network.

    Attributes:
        item: whose image it is.
        image: (H, W, 3) uint8 RGB.
        key: hash of all that the network sees.
    """

    item: Item
    image: np.ndarray
    key: str


def pixels_key(image: np.ndarray, *more: np.ndarray) -> str:
    """Hash of an image's pixels, and of further arrays that the network is given with it."""
    digest = hashlib.sha256()
    for array in (image, *more):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:40]


def answers(
    questions: Iterable[Question[Item]],
    kept: RawOutputs,
    ask: Callable[[Sequence[Question[Item]]], Sequence[Row]],
    most: int = MOST_IMAGES,
) -> Iterator[tuple[Question[Item], Row]]:
    """Every question with its answer, in order: the kept one, else what `ask` says now, which is kept at the end.

    The next questions are made (their images decoded) in a thread while the network is busy with the last ones.

    Args:
        questions: of one shard.
        ask: a network's answers to at most `most` different questions that nothing is known of; rows of the schema without "key".
    """
    fresh: dict[str, Row] = {}
    for batch in prefetched(
        batches(questions, most, lambda question: question.image.shape[0] * question.image.shape[1], MOST_PIXELS)
    ):
        known = kept.find({question.key for question in batch if question.key not in fresh})
        new = {question.key: question for question in batch if question.key not in known and question.key not in fresh}
        if new:
            told = ask(list(new.values()))
            fresh |= {key: {**row, "key": key} for key, row in zip(new, told, strict=True)}
        for question in batch:
            yield question, known[question.key] if question.key in known else fresh[question.key]
    if fresh:
        kept.keep(list(fresh.values()))


def memory_remarks(halvings: int) -> list[str]:
    """What a shard's report says when a GPU's memory did not hold a batch that often."""
    if not halvings:
        return []
    return [
        f"the GPU ran out of memory and a batch was halved, {halvings} time(s): results agree with whole batches to "
        "rounding only"
    ]
