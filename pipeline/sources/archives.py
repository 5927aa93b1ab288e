"""Read files out of the archives of a folder, in place: zip and tar files, and zip files inside them."""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from pipeline.errors import DataError
from pipeline.params import ArchiveLimits
from pipeline.sources.containers import Container, OpenScratch, ZipContainer, is_archive, open_container, told_name
from pipeline.sources.guard import FOLDER_ICON, Guard
from pipeline.sources.tar import NotPlain
from pipeline.sources.unpacked import Unpacked

USUAL_LIMITS = ArchiveLimits()


@dataclass(frozen=True, slots=True)
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


class Archives:
    """All files in the archives of a folder, found by the tail of their path.

    Real archives nest a folder of their own name, or a zip, once or twice; looking files up by the last parts
    of their path reads every such form alike. What has no random access (a compressed tar, a deflated inner zip) is
    unpacked once into `scratch`, or into passing files where none is given.
    """

    def __init__(self, folder: Path, scratch: Path | None = None, limits: ArchiveLimits | None = USUAL_LIMITS) -> None:
        """Open the archives of `folder`; `limits` None trusts them, as the processes do that another one has sent.

        Raises:
            DataError: there is no such folder.
        """
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder. Run `hpp download` first")
        self.folder = folder
        self.limits = limits
        self._unpacked = Unpacked(scratch)
        self._open: dict[tuple[str, ...], Container] = {}

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every file, archive by archive in the order of their names, in the archives' own order inside.

        Raises:
            DataError: an archive is damaged, or holds what it must not (see Guard).
        """
        found: list[Member] = []
        for name in self._names():
            self._index((name,), found, self._guard(name))
        return tuple(found)

    def _guard(self, name: str) -> Guard | None:
        if self.limits is None:
            return None
        return Guard(str(self.folder / name), (self.folder / name).stat().st_size, self.limits)

    def _names(self) -> list[str]:
        """The archives of the folder."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_file() and is_archive(path.name))

    def _opened(self, name: str, scratch: OpenScratch) -> Container:
        guard = self._guard(name)

        def admit(path: str, size: int) -> None:
            if guard is not None:
                guard.admit((name,), path, size, is_archive=_is_inner(path))

        return open_container(self.folder / name, scratch, admit)

    def _beside(self, name: str) -> Path | None:
        """A file that lies beside the archives."""
        return self.folder / name if (self.folder / name).is_file() else None

    def _index(self, chain: tuple[str, ...], found: list[Member], guard: Guard | None) -> None:
        for path, size, crc in self._container(chain).files():
            inner = _is_inner(path)
            if guard is not None:
                guard.admit(chain, path, size, is_archive=inner)
            if _is_finder_file(path):
                continue
            if inner:
                self._index((*chain, path), found, guard)
            else:
                found.append(Member(chain, path, size, crc))

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
        parts = PurePosixPath(told_name(tail)).parts
        folder = parts[-2] if len(parts) > 1 else None
        if folder is None:
            candidates = [m for files in self._folders.values() for m in files.get(parts[-1], [])]
        else:
            candidates = self._folders.get(folder, {}).get(parts[-1], [])
        matches = [m for m in candidates if PurePosixPath(m.path).parts[-len(parts) :] == parts]
        if folder is None and (beside := self._beside(tail)) is not None:
            data = beside.read_bytes()
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
            return self._container(member.archive).read(member.path)
        except (
            OSError, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error, zipfile.BadZipFile,
        ) as error:  # fmt: skip
            raise DataError(f"{self.folder / member.name}: cannot be read ({error}). Get the archive again") from error

    def _container(self, chain: tuple[str, ...]) -> Container:
        if chain not in self._open:
            file = self.folder / chain[0]

            def scratch(kind: str, write: Callable[[IO[bytes]], None]) -> IO[bytes]:
                return self._unpacked.open(file, chain[1:], kind, write)

            name = self.folder / "!/".join(chain)
            try:
                if len(chain) == 1:
                    self._open[chain] = self._opened(chain[0], scratch)
                else:
                    self._open[chain] = ZipContainer(self._container(chain[:-1]).inner(chain[-1], scratch))
            except NotPlain as error:
                raise DataError(f"{name}: {error}") from error
            except (
                OSError, EOFError, NotImplementedError, ValueError, struct.error, zlib.error, zipfile.BadZipFile, tarfile.TarError,
            ) as error:  # fmt: skip
                kind = "zip" if _is_inner(chain[-1]) else "tar"
                raise DataError(f"{name}: not a whole {kind} archive ({error}). Get it again") from error
        return self._open[chain]


def _is_inner(path: str) -> bool:
    """Whether a file of an archive is read as one itself."""
    return path.lower().endswith(".zip")


def _is_finder_file(path: str) -> bool:
    """macOS adds a shadow of every file, which has the file's folder and ending but not its content, and icons of folders."""
    parts = PurePosixPath(path).parts
    return bool(parts) and (parts[0] == "__MACOSX" or parts[-1].startswith("._") or parts[-1] == FOLDER_ICON)
