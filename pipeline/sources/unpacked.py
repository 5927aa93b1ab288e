"""Scratch files of archives that have no random access: unpacked once, found again by the archive's content."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from filelock import FileLock

from pipeline.shards.manifest import sha256_of
from pipeline.shards.write import file_aside, write_whole


def unpacked_folder(scratch: Path) -> Path:
    """Where the project's archives are unpacked."""
    return scratch / "archives"


class Unpacked:
    """A folder of unpacked archives and indexes, safe to delete; without a folder, files that vanish when closed."""

    def __init__(self, scratch: Path | None) -> None:
        self._folder = None if scratch is None else unpacked_folder(scratch)

    def open(self, archive: Path, inner: tuple[str, ...], kind: str, write: Callable[[IO[bytes]], None]) -> IO[bytes]:
        """The scratch file of an archive, or of one inside it, opened for reading; written if it is not there yet.

        Args:
            archive: the file on disk.
            inner: names of the archives inside it, outermost first.
            kind: ending of the scratch file.
            write: writes the scratch file's bytes.
        """
        if self._folder is None:
            passing = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as its reader)
            write(passing)
            passing.seek(0)
            return passing
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{_digest(self._hash_of(archive), *inner)}{kind}"
        if not path.exists():
            with FileLock(path.with_name(f".{path.name}.lock")):
                if not path.exists():  # another process may have written it while this one waited
                    _write_whole(path, write)
        return path.open("rb")

    def places(self, archive: Path, inner: tuple[str, ...]) -> Path | None:
        """Where the table of an archive's files lies, or would lie; None without a folder."""
        return None if self._folder is None else self._folder / f"{_digest(_identity(archive), *inner)}.places"

    def _hash_of(self, archive: Path) -> str:
        """The archive's SHA-256, remembered as long as its place, size and time stay: every worker asks for it."""
        assert self._folder is not None
        memory = self._folder / f"{_identity(archive)}.sha256"
        if not memory.exists():
            write_whole(memory, sha256_of(archive).encode())
        return memory.read_text(encoding="ascii")


def _identity(archive: Path) -> str:
    """Another one when the archive lies elsewhere or is replaced."""
    stat = archive.stat()
    return _digest(str(archive.resolve()), str(stat.st_size), str(stat.st_mtime_ns))


def _write_whole(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    aside = file_aside(path)
    try:
        with aside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
