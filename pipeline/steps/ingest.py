"""Ingest: items of a source's archives to image records, a shard at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.datasets.items import SourceItem
from pipeline.datasets.labels import plain_labels
from pipeline.datasets.layout import PLAIN, LabelReader, Layout, ReaderOptions, read_item
from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import DataError, ParamsError
from pipeline.rows import IMAGE_SCHEMA, image_row
from pipeline.shards.step import Finding, ShardInput, ShardReport, Step, content_hash
from pipeline.shards.write import parquet_bytes
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, KeypointSet, LabelSet, label_set

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
    label_set: LabelSet
    row_group: int
    labels: LabelReader = plain_labels
    scratch: Path | None = None
    """Where archives without random access are unpacked, once; none: into passing files."""

    def __call__(self, chunk: Chunk) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the chunk's records."""
        archives = _archives(self.folder, self.folder.stat().st_mtime_ns, self.scratch)
        rows, report = [], ShardReport()
        for item in chunk.items:
            try:
                record = read_item(archives, item, self.dataset, chunk.split, self.label_set, self.labels)
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


def ingest_step(
    folder: Path,
    dataset: str,
    parts: str | LabelSet,
    row_group: int,
    layout: str = "lip",
    scratch: Path | None = None,
) -> Step:
    """The step for one data set; `parts` is its label set or that one's name."""
    chosen = label_set(parts) if isinstance(parts, str) else parts
    parameters: dict[str, Any] = {"dataset": dataset, "label_set": chosen.name, "row_group": row_group}
    if chosen.name not in LABEL_SETS:
        parameters |= {"part_names": list(chosen.part_names), "colours": chosen.colours and list(chosen.colours)}
    labels = LAYOUTS[layout].labels
    if labels is not plain_labels:
        parameters["layout"] = layout
    return Step(
        "ingest", VERSION, parameters, "parquet", IngestWork(folder, dataset, chosen, row_group, labels, scratch)
    )


def check_keypoint_set(layout: Layout, keypoints: KeypointSet | None) -> None:
    """Refuse a keypoint set that a layout's joints cannot be of.

    Raises:
        ParamsError: it is such a set.
    """
    if keypoints is not None and layout.keypoint_sets is not None and keypoints.name not in layout.keypoint_sets:
        able = " or ".join(layout.keypoint_sets) if layout.keypoint_sets else "no joints"
        raise ParamsError(
            f"keypoint_set: {keypoints.name!r}, but layout {layout.name!r} has {able}. Set it to null to have the pose "
            "teacher label the joints, or to what the layout has"
        )


def ingest_shards(
    folder: Path,
    layout: str,
    splits: Sequence[str],
    records_per_shard: int,
    options: ReaderOptions = PLAIN,
    scratch: Path | None = None,
) -> list[ShardInput]:
    """The source's items cut into shards, split by split in source order.

    Raises:
        DataError: the source lacks a split, a list or a file that a list names, or an image stands in two splits.
    """
    reader, archives = LAYOUTS[layout], Archives(folder, scratch)
    shards = []
    split_of: dict[str, str] = {}
    for split in splits:
        if split not in reader.splits:
            raise DataError(
                f"layout {layout!r} has no split {split!r}; it has {', '.join(reader.splits)}. Mend `splits`"
            )
        items = reader.items(archives, split, options)
        for item in items:
            if split_of.setdefault(item.sample_id, split) != split:
                raise DataError(
                    f"{folder}: {item.sample_id!r} stands in {split_of[item.sample_id]} and in {split}. Take it out of one of them"
                )
        for number, start in enumerate(range(0, len(items), records_per_shard)):
            chunk = tuple(items[start : start + records_per_shard])
            content = content_hash(split, [item.content() for item in chunk])
            shards.append(ShardInput(split, f"part-{number:05d}", Chunk(split, chunk), content))
    return shards
