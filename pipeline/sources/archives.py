"""Read files out of the archives of a folder, in place: zip files, and zip files inside them."""

from __future__ import annotations

import io
import shutil
import struct
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.errors import DataError

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


@dataclass(frozen=True)
class Member:
    """One file inside an archive: which archive (chain of names), its path in it, size and CRC-32."""

    archive: tuple[str, ...]
    path: str
    size: int
    crc: int

    @property
    def name(self) -> str:
        """The whole way to the file, for errors and provenance."""
        return "!/".join((*self.archive, self.path))

    @property
    def stem(self) -> str:
        """File name without its last ending; may hold dots."""
        return PurePosixPath(self.path).stem


class _Slice(io.RawIOBase):
    """A readable, seekable view of `size` bytes of a file from `start`: a stored inner archive, not copied out."""

    def __init__(self, file: IO[bytes], start: int, size: int) -> None:
        self._file = file
        self._start, self._size, self._place = start, size, 0

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
        self._file.seek(self._start + self._place)
        data = self._file.read(max(0, min(len(buffer), self._size - self._place)))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)


class Archives:
    """All files in the zip archives of a folder, found by the tail of their path.

    Real archives nest a folder of their own name, or a zip, once or twice; looking files up by the last parts
    of their path reads every such form alike.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder. Run `hpp download` first")
        self.folder = folder
        self._open: dict[tuple[str, ...], zipfile.ZipFile] = {}

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every file, archive by archive in the order of their names, in the archives' own order inside."""
        found: list[Member] = []
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and path.suffix.lower() == ".zip":
                self._index((path.name,), found)
        return tuple(found)

    def _index(self, chain: tuple[str, ...], found: list[Member]) -> None:
        for info in self._zip(chain).infolist():
            if info.is_dir() or _is_finder_file(info.filename):
                continue
            if info.filename.lower().endswith(".zip"):
                self._index((*chain, info.filename), found)
            else:
                found.append(Member(chain, info.filename, info.file_size, info.CRC))

    @cached_property
    def _folders(self) -> dict[str, dict[str, list[Member]]]:
        """Name of the enclosing folder -> file name -> members."""
        folders: dict[str, dict[str, list[Member]]] = {}
        for member in self.members:
            path = PurePosixPath(member.path)
            folders.setdefault(path.parent.name, {}).setdefault(path.name, []).append(member)
        return folders

    def find(self, tail: str) -> Member | None:
        """The one file whose path ends in `tail` (for instance train_images/1_2.jpg), or None.

        A bare name also finds a file that lies beside the archives.

        Raises:
            DataError: there are two such files.
        """
        parts = PurePosixPath(tail).parts
        folder = parts[-2] if len(parts) > 1 else None
        if folder is None:
            candidates = [m for files in self._folders.values() for m in files.get(parts[-1], [])]
        else:
            candidates = self._folders.get(folder, {}).get(parts[-1], [])
        matches = [m for m in candidates if PurePosixPath(m.path).parts[-len(parts) :] == parts]
        if folder is None and (self.folder / tail).is_file():
            data = (self.folder / tail).read_bytes()
            matches.append(Member((), tail, len(data), zlib.crc32(data)))
        if len(matches) > 1:
            raise DataError(f"{tail}: found twice, as {matches[0].name} and {matches[1].name}. Remove one of them")
        return matches[0] if matches else None

    def folder_files(self, tail: str) -> dict[str, Member]:
        """Stem -> file, of all files whose folder's path ends in `tail`, in archive order.

        Raises:
            DataError: two files share a stem.
        """
        parts = PurePosixPath(tail).parts
        files: dict[str, Member] = {}
        for members in self._folders.get(parts[-1], {}).values():
            for member in members:
                if PurePosixPath(member.path).parent.parts[-len(parts) :] != parts:
                    continue
                if member.stem in files:
                    raise DataError(
                        f"{member.name}: the name {member.stem!r} stands twice in {tail}. Remove one of them"
                    )
                files[member.stem] = member
        return files

    def require(self, tail: str, hint: str) -> Member:
        """`find`, or an error that tells where the file should come from.

        Raises:
            DataError: there is no such file.
        """
        member = self.find(tail)
        if member is None:
            raise DataError(f"{self.folder}: no archive there holds {tail}. {hint}")
        return member

    def read(self, member: Member) -> bytes:
        """A file's bytes, checked against its CRC.

        Raises:
            DataError: the archive is damaged there.
        """
        try:
            if not member.archive:
                return (self.folder / member.path).read_bytes()
            return self._zip(member.archive).read(member.path)
        except (
            OSError, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error, zipfile.BadZipFile,
        ) as error:  # fmt: skip
            raise DataError(f"{self.folder / member.name}: cannot be read ({error}). Get the archive again") from error

    def _zip(self, chain: tuple[str, ...]) -> zipfile.ZipFile:
        if chain not in self._open:
            name = self.folder / "!/".join(chain)
            try:
                file: Path | IO[bytes] = self.folder / chain[0]
                if len(chain) > 1:
                    file = self._inner(chain)
                self._open[chain] = zipfile.ZipFile(file)
            except (OSError, EOFError, struct.error, zlib.error, zipfile.BadZipFile) as error:
                raise DataError(f"{name}: not a whole zip archive ({error}). Get it again") from error
        return self._open[chain]

    def _inner(self, chain: tuple[str, ...]) -> IO[bytes]:
        """An archive inside an archive as a file of its own.

        A stored one lies in one piece behind its local header and is read where it is; a deflated one cannot be, and is
        unpacked into a temporary file.
        """
        outer = self._zip(chain[:-1])
        info = outer.getinfo(chain[-1])
        file: IO[bytes] = outer.fp  # type: ignore[assignment]  # None only once closed
        if info.compress_type != zipfile.ZIP_STORED:
            unpacked = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the archive)
            with outer.open(info) as member:
                shutil.copyfileobj(member, unpacked)
            return unpacked
        file.seek(info.header_offset)
        header = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        start = info.header_offset + _LOCAL_HEADER.size + header[-2] + header[-1]
        return io.BufferedReader(_Slice(file, start, info.file_size))


def _is_finder_file(path: str) -> bool:
    """macOS adds a shadow of every file, which has the file's folder and ending but not its content."""
    parts = PurePosixPath(path).parts
    return parts[0] == "__MACOSX" or parts[-1].startswith("._")
