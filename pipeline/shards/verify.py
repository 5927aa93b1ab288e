"""Check folders of shards against their manifests: every file there, of its size and hash, every record countable."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, sha256_of

_BESIDE = {MANIFEST_NAME, "rejects.jsonl", "outcomes.jsonl"}
"""Files of a split's folder that its manifest does not list."""


def split_folders(place: Path) -> list[Path]:
    """The folders with a manifest at or below a place, in order."""
    return sorted(file.parent for file in place.rglob(MANIFEST_NAME))


def damages(folder: Path) -> Iterator[str]:
    """What is wrong with a split's folder, a line for each file; nothing where all is well.

    Checked are the manifest itself, every shard's size, SHA-256 and number of records, files that no shard list names, and the
    folders that the manifest points at, whose manifest must be the one that it was made with.
    """
    try:
        manifest = Manifest.read(folder)
    except DataError as error:
        yield str(error)
        return
    for entry in manifest.shards:
        if problem := _damage(folder / entry.name, entry):
            yield f"{folder / entry.name}: {problem}. Run the stage that makes it again"
    known = {entry.name for entry in manifest.shards} | _BESIDE
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix in (".parquet", ".npz") and file.name not in known:
            yield f"{file}: not in {MANIFEST_NAME}. Remove it, or run the stage again"
    for kind, link in manifest.links.items():
        target = folder / link["path"] / MANIFEST_NAME
        if not target.is_file():
            yield f"{folder / MANIFEST_NAME}: points at {kind} in {target.parent}, which are not there. Bring that folder, too"
        elif sha256_of(target) != link["sha256"]:
            yield f"{target}: not the {kind} that {folder} was made with. Run the stages again in order"


def _damage(file: Path, entry: ShardEntry) -> str | None:
    if not file.is_file():
        return "is missing"
    size = file.stat().st_size
    if size != entry.bytes:
        return f"{size} bytes, its manifest says {entry.bytes}"
    found = sha256_of(file)
    if found != entry.sha256:
        return f"SHA-256 is {found}, its manifest says {entry.sha256}"
    try:
        records = _records(file)
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile, pa.ArrowException) as error:
        return f"cannot be opened ({error})"
    return None if records == entry.records else f"{records} records, its manifest says {entry.records}"


def _records(file: Path) -> int:
    if file.suffix == ".npz":
        with zipfile.ZipFile(file) as archive:
            return len(archive.namelist())
    return int(pq.read_metadata(file).num_rows)
