"""The shards of one or several finished stages as the inputs of the next: one to one, by their place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import DataError
from pipeline.shards.manifest import Manifest
from pipeline.shards.read import read_table
from pipeline.shards.step import ShardInput, content_hash


def stage_inputs(folders: Sequence[Path], splits: Sequence[str], stem: str = "part") -> list[ShardInput]:
    """One input per shard; its `inputs` are the paths of the shard in each of the folders.

    Args:
        folders: published folders of earlier stages, all of one data set.
        splits: the splits to take.
        stem: how the new shards are called.

    Raises:
        DataError: a folder is missing, or two of them do not fit together.
    """
    shards = []
    for split in splits:
        manifests = [Manifest.read(folder / split) for folder in folders]
        first = manifests[0]
        for folder, manifest in zip(folders[1:], manifests[1:], strict=True):
            if [shard.records for shard in manifest.shards] != [shard.records for shard in first.shards]:
                raise DataError(
                    f"{folder / split}: its shards do not fit those of {folders[0] / split}. Run the stages again in order"
                )
        for number, entries in enumerate(zip(*(manifest.shards for manifest in manifests), strict=True)):
            paths = tuple(folder / split / entry.name for folder, entry in zip(folders, entries, strict=True))
            hashes = [entry.sha256 for entry in entries]
            files = dict(zip(paths, hashes, strict=True))
            shards.append(ShardInput(split, f"{stem}-{number:05d}", paths, content_hash(hashes), files))
    return shards


def joined_tables(paths: Sequence[Path], columns: Sequence[list[str] | None]) -> tuple[pa.Table, ...]:
    """Shards that belong to one another, row by row, as tables.

    Args:
        paths: one shard per stage.
        columns: the columns to read of each, `sample_id` among them; None is all.

    Raises:
        DataError: two shards hold other samples, or the same ones in another order.
    """
    tables = tuple(read_table(path, names) for path, names in zip(paths, columns, strict=True))
    for path, table in zip(paths[1:], tables[1:], strict=True):
        if not table["sample_id"].equals(tables[0]["sample_id"]):
            raise DataError(f"{path}: holds other samples than {paths[0]}. Run the stages again in order")
    return tables


def joined_rows(paths: Sequence[Path], columns: Sequence[list[str] | None]) -> Iterator[tuple[dict[str, Any], ...]]:
    """As `joined_tables`, row by row."""
    yield from zip(*(table.to_pylist() for table in joined_tables(paths, columns)), strict=True)
