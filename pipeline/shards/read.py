"""Read the records of a split's shards, by index or in order."""

from __future__ import annotations

import os
import zipfile
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.records import ImageRecord, Sample
from pipeline.rows import image_from_row, sample_from_row
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, sha256_of

_FROM_ROW = {"images": image_from_row, "crops": sample_from_row, "samples": sample_from_row}

GROUPS_KEPT = 32
"""Row groups of a split that stay in memory, the last ones read."""


def _groups(path: Path, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """The row groups of one parquet shard in order."""
    try:
        # Read ahead by Arrow's threads, a data set's shards leave more and more memory behind.
        with pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True) as file:
            lacking = {name.split(".")[0] for name in columns or ()} - set(file.schema_arrow.names)
            if lacking:
                raise DataError(f"{path}: has no column {min(lacking)!r}. Run the stage that makes it again")
            if not file.num_row_groups:
                yield file.schema_arrow.empty_table()
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns, use_threads=False)
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a whole parquet shard ({error}). Run the stage that makes it again") from error


def iter_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of one parquet shard in order; a row group at a time is in memory.

    Args:
        columns: names, "image.path" for a field of a struct; None is all.

    Raises:
        DataError: the file is missing, no whole parquet file, or lacks a column.
    """
    for group in _groups(path, columns):
        yield from group.to_pylist()


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """One parquet shard as it is stored, nothing turned into Python's objects; see `iter_rows`.

    Raises:
        DataError: as `iter_rows`.
    """
    return pa.concat_tables(_groups(path, columns)).combine_chunks()


def read_rows(path: Path, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """All rows of one parquet shard; see `iter_rows`.

    Raises:
        DataError: as `iter_rows`.
    """
    return list(iter_rows(path, columns))


class Shards(Sequence[Any]):
    """A split's records: `len`, indexing, iteration in order; `heatmaps(i)` where the split has them.

    Row groups are the unit of reading; the last few stay in memory. Safe to pickle and to use in loader workers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        self._ends = list(accumulate(shard.records for shard in self.manifest.shards))
        self._open()

    def _open(self) -> None:
        self._file = lru_cache(maxsize=16)(self._open_file)
        self._group = lru_cache(maxsize=GROUPS_KEPT)(self._read_group)
        self._npz = lru_cache(maxsize=4)(self._open_npz)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "manifest": self.manifest, "_ends": self._ends}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Any]:
        for shard in range(len(self.manifest.shards)):
            file, _ = self._file(shard)
            for group in range(file.num_row_groups):
                yield from (self._record(row) for row in self._group(shard, group))

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # no slices: they would decode everything
        """Record number `index`: an ImageRecord for images, a Sample for crops and samples.

        Raises:
            IndexError: outside the split.
            DataError: the shard is missing or damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"record {index} of {len(self)} in {self.folder}")
        shard, row = self._locate(index % len(self))
        _, starts = self._file(shard)
        group = bisect_right(starts, row) - 1
        return self._record(self._group(shard, group)[row - starts[group]])

    def rows(self, columns: list[str]) -> Iterator[dict[str, Any]]:
        """Every record's row in order, of these columns only: the images are not read.

        Raises:
            DataError: a shard is missing or damaged.
        """
        for shard in range(len(self.manifest.shards)):
            for group in range(self._file(shard)[0].num_row_groups):
                yield from self._rows(shard, group, columns)

    def heatmaps(self, index: int) -> np.ndarray:
        """(K, h, w) float16 heatmaps of sample number `index`, from the npz shards that the manifest points at.

        Raises:
            DataError: the split has none, or the file is missing or damaged.
        """
        sample: Sample = self[index]
        shard, _ = self._locate(index % len(self))
        # A forked loader worker opens its own file: it would share the place in the parent's.
        path, maps = self._npz(shard, os.getpid())
        try:
            return maps[sample.sample_id]
        except (
            KeyError,
            OSError,
            ValueError,
            EOFError,
            MemoryError,
            NotImplementedError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise DataError(f"{path}: {sample.sample_id} cannot be read ({error}). Run `hpp heatmaps` again") from error

    def heatmaps_manifest(self) -> tuple[Path, Manifest]:
        """The folder of the heatmaps that the manifest points at, and its manifest.

        Raises:
            DataError: it points at none, or they are missing or not those it was made with.
        """
        if "heatmaps" not in self.manifest.links:
            raise DataError(f"{self.folder}: its manifest points at no heatmaps. Run `hpp shard` again")
        link = self.manifest.links["heatmaps"]
        folder = self.folder / link["path"]
        manifest = Manifest.read(folder)
        if sha256_of(folder / MANIFEST_NAME) != link["sha256"]:
            raise DataError(
                f"{folder}: its heatmaps are not those that {self.folder} was made with. Run `hpp shard` again"
            )
        return folder, manifest

    def _locate(self, index: int) -> tuple[int, int]:
        shard = bisect_right(self._ends, index)
        return shard, index - (self._ends[shard - 1] if shard else 0)

    def _record(self, row: dict[str, Any]) -> Any:
        return _FROM_ROW[self.manifest.kind](row) if self.manifest.kind in _FROM_ROW else row

    def _open_file(self, shard: int) -> tuple[pq.ParquetFile, list[int]]:
        path = self.folder / self.manifest.shards[shard].name
        try:
            file = pq.ParquetFile(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path}: not a whole parquet shard ({error}). Run its stage again") from error
        if file.metadata.num_rows != self.manifest.shards[shard].records:
            raise DataError(
                f"{path}: {file.metadata.num_rows} records, the manifest says {self.manifest.shards[shard].records}. "
                "Run its stage again"
            )
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        return file, [0, *accumulate(sizes)][: len(sizes)]

    def _read_group(self, shard: int, group: int) -> list[dict[str, Any]]:
        return self._rows(shard, group, None)

    def _rows(self, shard: int, group: int, columns: list[str] | None) -> list[dict[str, Any]]:
        file, _ = self._file(shard)
        try:
            return file.read_row_group(group, columns=columns, use_threads=False).to_pylist()
        except (OSError, pa.ArrowException) as error:
            path = self.folder / self.manifest.shards[shard].name
            raise DataError(f"{path}: row group {group} is damaged ({error}). Run its stage again") from error

    def _open_npz(self, shard: int, process: int) -> tuple[Path, Any]:
        folder, manifest = self.heatmaps_manifest()
        path = folder / manifest.shards[shard].name
        try:
            return path, np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile) as error:
            raise DataError(f"{path}: not a whole npz shard ({error}). Run `hpp heatmaps` again") from error


def open_shards(folder: str | Path) -> Shards:
    """The records of a split, for instance data/shards/lip/train.

    Raises:
        DataError: no manifest there, or a damaged one.
    """
    return Shards(Path(folder))


__all__ = ["ImageRecord", "Sample", "Shards", "iter_rows", "open_shards", "read_rows", "read_table"]
