"""One opened archive: its files, the bytes of one, and archives inside it; the same for zip and tar."""

from __future__ import annotations

import io
import json
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import astuple
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

from pipeline.sources.places import Place
from pipeline.sources.tar import Admit, NotPlain, TarEntry, index_tar, tar_to_zip
from pipeline.sources.zip_directory import UTF8_PATH, ZipEntry, zip_entries

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_UNIX = 3
"""Of a zip entry: made on Unix, its mode stands in the upper half of the external attributes."""
_NOT_PLAIN = 0x01 | 0x20 | 0x40
"""Flags of a zip entry that is encrypted or a patch."""
_PLAIN_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
COMPRESSED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
ARCHIVES = (".zip", ".tar", *COMPRESSED_TARS)

OpenScratch = Callable[[str, Callable[[IO[bytes]], None]], IO[bytes]]
"""Ending and writer of a scratch file -> the file, opened for reading."""


def told_name(name: str) -> str:
    """A file's name as people write it: composed characters, where macOS decomposes them (é as e and an accent)."""
    return unicodedata.normalize("NFC", name)


def is_archive(name: str) -> bool:
    """Whether a file of that name is read as an archive."""
    return name.lower().endswith(ARCHIVES)


def is_inner(path: str) -> bool:
    """Whether a file of an archive is read as one itself."""
    return path.lower().endswith(".zip")


class Container(Protocol):
    """An opened archive."""

    def files(self) -> Iterator[tuple[str, int, int]]:
        """Path, size and CRC-32 of every file, in the archive's order."""
        ...

    def read(self, path: str) -> bytes:
        """A file's bytes, checked against its CRC."""
        ...

    def inner(self, path: str, scratch: OpenScratch) -> IO[bytes]:
        """A file of the archive as a seekable file of its own."""
        ...

    def places(self) -> tuple[Path, Iterator[Place]] | None:
        """The file on disk that holds the archive, and where its files lie there; None where it lies in a passing file."""
        ...


class ZipContainer:
    """A zip archive.

    Raises:
        NotPlain: it holds a link or a device.
        zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError: it is not whole, or needs a newer reader.
    """

    def __init__(self, file: Path | IO[bytes]) -> None:
        self._file = file.open("rb") if isinstance(file, Path) else file
        self._inner: dict[str, ZipEntry] = {}
        for entry in self._entries():
            path = _zip_path(entry)
            if _is_special(entry):
                raise NotPlain(f"{path}: a link or a device. Pack the zip again with the files themselves")
            if is_inner(path):
                self._inner[path] = entry

    def _entries(self) -> Iterator[ZipEntry]:
        """Read anew each time, so that the directory never lies in memory."""
        return zip_entries(self._file)

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        """For those who read files that no table of places has."""
        return zipfile.ZipFile(self._file)

    @cached_property
    def _infos(self) -> dict[str, zipfile.ZipInfo]:
        return dict(zip(map(_zip_path, self._entries()), self._zip.infolist(), strict=True))

    def files(self) -> Iterator[tuple[str, int, int]]:
        """Path, size and CRC-32 of every file, in the archive's order."""
        return ((_zip_path(entry), entry.size, entry.crc) for entry in self._entries() if not entry.is_folder)

    def read(self, path: str) -> bytes:
        """A file's bytes, checked against its CRC."""
        return self._zip.read(self._infos[path])

    def inner(self, path: str, scratch: OpenScratch) -> IO[bytes]:
        """A stored file lies in one piece behind its local header and is read where it is; a deflated one is unpacked."""
        if path not in self._inner:
            raise ValueError(f"it does not hold {path!r}")
        entry = self._inner[path]
        if entry.method != zipfile.ZIP_STORED:

            def unpack(target: IO[bytes]) -> None:
                with self._zip.open(self._infos[path]) as member:
                    shutil.copyfileobj(member, target)

            return scratch(".zip", unpack)
        self._file.seek(entry.start)
        header = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        start = entry.start + _LOCAL_HEADER.size + header[-2] + header[-1]
        return io.BufferedReader(_Slice(self._file, start, entry.size))

    def places(self) -> tuple[Path, Iterator[Place]] | None:
        """The file on disk that holds the archive, and where the files lie that are plainly packed."""
        if (origin := _origin(self._file)) is None:
            return None
        disk, before = origin
        return disk, (
            Place(
                _zip_path(entry), before + entry.start, entry.packed, entry.size, entry.crc,
                entry.method == zipfile.ZIP_DEFLATED, True,
            )
            for entry in self._entries()
            if not entry.is_folder and not entry.flags & _NOT_PLAIN and entry.method in _PLAIN_METHODS
        )  # fmt: skip


def _is_special(entry: ZipEntry) -> bool:
    """Whether an entry packed on Unix is a link, a device or a pipe: neither file nor folder."""
    kind = stat.S_IFMT(entry.attributes >> 16)
    return entry.system == _UNIX and kind not in (0, stat.S_IFREG, stat.S_IFDIR)


def _zip_path(entry: ZipEntry) -> str:
    """A file's path; macOS and others write UTF-8 without saying so, which the format then takes for DOS characters."""
    if entry.flags & UTF8_PATH or entry.path.isascii():
        return told_name(entry.path)
    try:
        return told_name(entry.path.encode("cp437").decode("utf-8"))
    except UnicodeError:
        return told_name(entry.path)


class TarContainer:
    """A plain tar, read in place by an index that is made once."""

    def __init__(self, file: IO[bytes], scratch: OpenScratch) -> None:
        self._file = file

        def write(target: IO[bytes]) -> None:
            target.write(json.dumps([astuple(entry) for entry in index_tar(file)]).encode())

        with scratch(".index.json", write) as index:
            self._entries = [TarEntry(told_name(path), *rest) for path, *rest in json.load(index)]
        self._by_path = {entry.path: entry for entry in self._entries}

    def files(self) -> Iterator[tuple[str, int, int]]:
        """Path, size and CRC-32 of every file, in the archive's order."""
        return ((entry.path, entry.size, entry.crc) for entry in self._entries)

    def read(self, path: str) -> bytes:
        """A file's bytes, checked against its CRC."""
        entry = self._by_path[path]
        self._file.seek(entry.start)
        data = self._file.read(entry.size)
        if zlib.crc32(data) != entry.crc:
            raise ValueError(f"Bad CRC-32 for file {path!r}")
        return data

    def inner(self, path: str, scratch: OpenScratch) -> IO[bytes]:
        """A file of the tar, where it lies."""
        entry = self._by_path[path]
        return io.BufferedReader(_Slice(self._file, entry.start, entry.size))

    def places(self) -> tuple[Path, Iterator[Place]] | None:
        """The file on disk that holds the archive, and where its files lie there."""
        if (origin := _origin(self._file)) is None:
            return None
        disk, before = origin
        return disk, (
            Place(entry.path, before + entry.start, entry.size, entry.size, entry.crc, False, False)
            for entry in self._entries
        )


def open_container(file: Path, scratch: OpenScratch, admit: Admit) -> Container:
    """An archive on disk; a compressed tar is read through a stored zip of its files in scratch, each admitted first."""
    name = file.name.lower()
    if name.endswith(COMPRESSED_TARS):

        def unpack(target: IO[bytes]) -> None:
            with file.open("rb") as source:
                tar_to_zip(source, target, admit)

        return ZipContainer(scratch(".zip", unpack))
    return TarContainer(file.open("rb"), scratch) if name.endswith(".tar") else ZipContainer(file)


def _origin(file: IO[bytes]) -> tuple[Path, int] | None:
    """The file on disk whose bytes an opened one gives, and where they begin in it; None for a passing file."""
    raw = getattr(file, "raw", None)
    if isinstance(raw, _Slice):
        outer = _origin(raw.file)
        return None if outer is None else (outer[0], outer[1] + raw.start)
    place = getattr(file, "name", None)
    return (Path(place), 0) if isinstance(place, str | Path) else None


class _Slice(io.RawIOBase):
    """A readable, seekable view of `size` bytes of a file from `start`: a stored inner archive, not copied out."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self.file, self.start = file, start
        self._size, self._place = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        self.file.seek(self.start + self._place)
        data = self.file.read(max(0, min(len(buffer), self._size - self._place)))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)
