"""Ingest: items of a source's archives to image records, a shard at a time."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.datasets.items import SourceItem
from pipeline.datasets.labels import plain_labels
from pipeline.datasets.layout import PLAIN, LabelReader, Layout, ReaderOptions, read_decoded
from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import DataError, ParamsError
from pipeline.execution import Files
from pipeline.images import exif_orientation
from pipeline.quality.examine import DEFAULT_RULES, Examiner, Rules
from pipeline.quality.looks import look, pixel_hash
from pipeline.records import ImageRecord
from pipeline.rows import IMAGE_SCHEMA, image_row
from pipeline.shards.step import Finding, ShardInput, ShardReport, Step, content_hash
from pipeline.shards.write import parquet_bytes
from pipeline.sources.archives import Archives
from pipeline.sources.unpacked import unpacked_folder
from pipeline.taxonomy import LABEL_SETS, KeypointSet, LabelSet, label_set

VERSION = 3
CHECKS_VERSION = 2
"""Raised by hand when the same record would get other findings or marks."""


@dataclass(frozen=True)
class Chunk:
    """The items of one shard, packed: the process that hands them out holds those of a whole data set."""

    split: str
    count: int
    packed: bytes

    @classmethod
    def of(cls, split: str, items: Sequence[SourceItem]) -> Chunk:
        """The chunk of these items."""
        return cls(split, len(items), zlib.compress(pickle.dumps(tuple(items)), 1))

    @property
    def items(self) -> tuple[SourceItem, ...]:
        """Unpacked anew at every call."""
        found: tuple[SourceItem, ...] = pickle.loads(zlib.decompress(self.packed))
        return found


@dataclass(frozen=True)
class ChunkReader:
    """Reads and checks the images of one shard."""

    folder: Path
    dataset: str
    label_set: LabelSet
    examiner: Examiner
    labels: LabelReader = plain_labels
    scratch: Path | None = None
    """Where archives without random access are unpacked, once; none: into passing files."""

    def read(self, chunk: Chunk, report: ShardReport) -> Iterator[ImageRecord]:
        """The records of the chunk that can be used; `report` is told of them, and of all others."""
        archives = _archives(self.folder, self.folder.stat().st_mtime_ns, self.scratch)
        for item in chunk.items:
            try:
                record, pixels, contradictions = read_decoded(
                    archives, item, self.dataset, chunk.split, self.label_set, self.labels
                )
                found = self.examiner(record, not item.hidden_untold)
            except DataError as error:
                report.rejects.append(Finding(item.sample_id, str(error), error.check))
                continue
            if contradictions:
                reason = f"{self.dataset}/{item.sample_id}: {'; '.join(contradictions)}"
                found.append(Finding(item.sample_id, reason, "contradicting_maps"))
            rejected = [one for one in found if one.check in self.examiner.rules.rejecting]
            report.rejects += rejected
            report.outcomes += [one for one in found if one not in rejected]
            if rejected:
                continue
            report.records += 1
            report.counts["people"] += int((~record.people.crowd).sum())
            report.counts["crowds"] += int(record.people.crowd.sum())
            report.counts["bytes"] += len(record.image)
            if exif_orientation(record.image) != 1:
                report.counts["turned_upright"] += 1
            if record.people.keypoints is not None:
                report.counts["keypoints"] += int((record.people.keypoints[..., 2] > 0).sum())
            report.marks.append({"sample_id": record.sample_id, "pixels": pixel_hash(pixels), "look": look(pixels)})
            yield record


@dataclass(frozen=True)
class IngestWork:
    """Reads, checks and packs the images of one shard."""

    reader: ChunkReader
    row_group: int

    def __call__(self, chunk: Chunk) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the chunk's records."""
        report = ShardReport()
        rows = [image_row(record) for record in self.reader.read(chunk, report)]
        return parquet_bytes(rows, IMAGE_SCHEMA, self.row_group), report


@dataclass(frozen=True)
class CheckWork:
    """Reads and checks the images of one shard, and keeps nothing of them but the report."""

    reader: ChunkReader

    def __call__(self, shard: ShardInput) -> ShardReport:
        """What became of the shard's images."""
        report = ShardReport()
        for _ in self.reader.read(shard.inputs, report):
            pass
        return report


@lru_cache(maxsize=1)
def _archives(folder: Path, modified: int, scratch: Path | None) -> Archives:
    """Each process opens a folder's archives once, and again when download has put another folder in its place."""
    return Archives(folder, scratch, limits=None)


def chunk_reader(
    folder: Path,
    dataset: str,
    parts: str | LabelSet,
    layout: str = "lip",
    scratch: Path | None = None,
    keypoints: KeypointSet | None = None,
    rules: Rules = DEFAULT_RULES,
) -> ChunkReader:
    """The reader of one data set.

    Args:
        parts: its label set or that one's name.
        keypoints: its annotated joints.
        rules: what counts as a finding.
    """
    chosen = label_set(parts) if isinstance(parts, str) else parts
    return ChunkReader(folder, dataset, chosen, Examiner.of(chosen, keypoints, rules), LAYOUTS[layout].labels, scratch)


def ingest_step(
    folder: Path,
    dataset: str,
    parts: str | LabelSet,
    row_group: int,
    layout: str = "lip",
    scratch: Path | None = None,
    keypoints: KeypointSet | None = None,
    rules: Rules = DEFAULT_RULES,
) -> Step:
    """The step for one data set; arguments as of `chunk_reader`."""
    reader = chunk_reader(folder, dataset, parts, layout, scratch, keypoints, rules)
    chosen = reader.label_set
    parameters: dict[str, Any] = {"dataset": dataset, "label_set": chosen.name, "row_group": row_group}
    if chosen.name not in LABEL_SETS:
        parameters |= {"part_names": list(chosen.part_names), "colours": chosen.colours and list(chosen.colours)}
    if reader.labels is not plain_labels:
        parameters["layout"] = layout
    checks = {
        "version": CHECKS_VERSION,
        "keypoints": list(reader.examiner.keypoint_names),
        "keypoint_tolerance": rules.keypoint_tolerance,
        "small_mask_px": rules.small_mask_px,
        "rejecting": sorted(rules.rejecting),
    }
    return Step("ingest", VERSION, parameters, "parquet", IngestWork(reader, row_group), checks=checks)


def source_files(folder: Path, scratch: Path) -> Files:
    """What reading a source in other processes takes: its folder, and room to unpack what has no random access."""
    return Files(shared=(folder,), unpacked=unpacked_folder(scratch))


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
    archives: Archives,
    layout: str,
    splits: Sequence[str],
    records_per_shard: int,
    options: ReaderOptions = PLAIN,
) -> list[ShardInput]:
    """The source's items cut into shards, split by split in source order.

    Raises:
        DataError: the source lacks a split, a list or a file that a list names, an image stands in two splits, or an
            archive is damaged or holds what it must not.
    """
    reader = LAYOUTS[layout]
    shards = []
    split_of: dict[str, str] = {}
    for split in splits:
        if split not in reader.splits:
            raise DataError(
                f"layout {layout!r} has no split {split!r}; it has {', '.join(reader.splits)}. Mend `splits`"
            )
        # Taken from the end of a reversed list, so that each item is let go once it is packed.
        items, number = list(reversed(reader.items(archives, split, options))), 0
        while items:
            chunk = items[: -records_per_shard - 1 : -1]
            del items[-records_per_shard:]
            for item in chunk:
                if split_of.setdefault(item.sample_id, split) != split:
                    raise DataError(
                        f"{archives.folder}: {item.sample_id!r} stands in {split_of[item.sample_id]} and in {split}. Take it out of one of them"
                    )
            content = content_hash(split, [item.content() for item in chunk])
            shards.append(ShardInput(split, f"part-{number:05d}", Chunk.of(split, chunk), content))
            number += 1
    return shards
