"""Ingest: items of a source's archives to image records, a shard at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipeline.datasets.layout import SourceItem, read_item
from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import DataError
from pipeline.records import IMAGE_SCHEMA, image_row
from pipeline.shards.step import Finding, ShardInput, ShardReport, Step, content_hash
from pipeline.shards.write import parquet_bytes
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS

VERSION = 1


@dataclass(frozen=True)
class Chunk:
    """The items of one shard."""

    split: str
    items: tuple[SourceItem, ...]


@dataclass(frozen=True)
class IngestWork:
    """Reads, checks and packs the images of one shard."""

    folder: Path
    dataset: str
    label_set: str
    row_group: int
    scratch: Path | None = None
    """Where archives without random access are unpacked, once; none: into passing files."""

    def __call__(self, chunk: Chunk) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the chunk's records."""
        archives, label_set = (
            _archives(self.folder, self.folder.stat().st_mtime_ns, self.scratch),
            LABEL_SETS[self.label_set],
        )
        rows, report = [], ShardReport()
        for item in chunk.items:
            try:
                record = read_item(archives, item, self.dataset, chunk.split, label_set)
            except DataError as error:
                report.rejects.append(Finding(item.sample_id, str(error)))
                continue
            rows.append(image_row(record))
            report.records += 1
            report.counts["people"] += int((~record.people.crowd).sum())
            report.counts["crowds"] += int(record.people.crowd.sum())
            report.counts["bytes"] += len(record.image)
            if record.people.keypoints is not None:
                report.counts["keypoints"] += int((record.people.keypoints[..., 2] > 0).sum())
        return parquet_bytes(rows, IMAGE_SCHEMA, self.row_group), report


@lru_cache(maxsize=1)
def _archives(folder: Path, modified: int, scratch: Path | None) -> Archives:
    """Each process opens a folder's archives once, and again when download has put another folder in its place."""
    return Archives(folder, scratch)


def ingest_step(folder: Path, dataset: str, label_set: str, row_group: int, scratch: Path | None = None) -> Step:
    """The step for one data set."""
    parameters = {"dataset": dataset, "label_set": label_set, "row_group": row_group}
    return Step("ingest", VERSION, parameters, "parquet", IngestWork(folder, dataset, label_set, row_group, scratch))


def ingest_shards(
    folder: Path, layout: str, splits: Sequence[str], records_per_shard: int, scratch: Path | None = None
) -> list[ShardInput]:
    """The source's items cut into shards, split by split in source order.

    Raises:
        DataError: the source lacks a split, a list or a file that a list names.
    """
    reader, archives = LAYOUTS[layout], Archives(folder, scratch)
    shards = []
    for split in splits:
        if split not in reader.splits:
            raise DataError(
                f"layout {layout!r} has no split {split!r}; it has {', '.join(reader.splits)}. Mend `splits`"
            )
        items = reader.items(archives, split)
        for number, start in enumerate(range(0, len(items), records_per_shard)):
            chunk = tuple(items[start : start + records_per_shard])
            content = content_hash(split, [item.content() for item in chunk])
            shards.append(ShardInput(split, f"part-{number:05d}", Chunk(split, chunk), content))
    return shards
