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
from pipeline.sources.containers import (
    Container,
    OpenScratch,
    ZipContainer,
    is_archive,
    is_inner,
    open_container,
    told_name,
)
from pipeline.sources.guard import FOLDER_ICON, Guard
from pipeline.sources.places import PlaceTable, write_places
from pipeline.sources.tar import NotPlain
from pipeline.sources.unpacked import Unpacked

USUAL_LIMITS = ArchiveLimits()
_FEW_FINDS = 8


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
        name = _tail(self.path)[1]
        dot = name.rfind(".")
        return name[:dot] if 0 < dot < len(name) - 1 else name


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
        self._finds = 0
        self._open: dict[tuple[str, ...], Container] = {}
        self._tables: dict[tuple[str, ...], PlaceTable | None] = {}

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Every file, archive by archive in the order of their names, in the archives' own order inside.

        Raises:
            DataError: an archive is damaged, or holds what it must not (see Guard).
        """
        found: list[Member] = []
        for name in self._names():
            before = len(found)
            self._index((name,), found, self._guard(name))
            self._keep_places({member.archive for member in found[before:]})
        return tuple(found)

    def _keep_places(self, chains: set[tuple[str, ...]]) -> None:
        """Write where the files of opened archives lie; their directories then need not stay in memory, of any process."""
        for chain in chains:
            table = self._unpacked.places(self.folder / chain[0], chain[1:])
            if table is None or (places := self._container(chain).places()) is None:
                return
            if not table.exists():
                write_places(table, *places)
        self._open.clear()

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
                guard.admit((name,), path, size, is_archive=is_inner(path))

        return open_container(self.folder / name, scratch, admit)

    def _beside(self, name: str) -> Path | None:
        """A file that lies beside the archives."""
        return self.folder / name if (self.folder / name).is_file() else None

    def _index(self, chain: tuple[str, ...], found: list[Member], guard: Guard | None) -> None:
        for path, size, crc in self._container(chain).files():
            inner = is_inner(path)
            if guard is not None:
                guard.admit(chain, path, size, is_archive=inner)
            if _is_finder_file(path):
                continue
            if inner:
                self._index((*chain, path), found, guard)
            else:
                found.append(Member(chain, path, size, crc))

    @cached_property
    def _folders(self) -> dict[str, list[Member]]:
        """Name of the enclosing folder -> members."""
        folders: dict[str, list[Member]] = {}
        for member in self.members:
            folders.setdefault(_tail(member.path)[0], []).append(member)
        return folders

    @cached_property
    def _same_names(self) -> dict[str, list[Member]]:
        """File name -> members."""
        files: dict[str, list[Member]] = {}
        for member in self.members:
            files.setdefault(_tail(member.path)[1], []).append(member)
        return files

    def _called(self, name: str) -> list[Member]:
        """The files of a name. A map of all names is only made for those who ask for more than a few."""
        self._finds += 1
        if self._finds > _FEW_FINDS:
            return self._same_names.get(name, [])
        return [member for member in self.members if member.path.endswith(name) and _tail(member.path)[1] == name]

    def find(self, tail: str) -> Member | None:
        """The one file whose path ends in `tail` (for instance train_images/1_2.jpg), or None.

        A bare name also finds a file that lies beside the archives.

        Raises:
            DataError: there are two such files.
        """
        parts = PurePosixPath(told_name(tail)).parts
        if not parts:
            return None
        matches = [m for m in self._called(parts[-1]) if PurePosixPath(m.path).parts[-len(parts) :] == parts]
        if len(parts) == 1 and (beside := self._beside(tail)) is not None:
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
        for member in self._folders.get(parts[-1], []):
            if len(parts) > 1 and PurePosixPath(member.path).parent.parts[-len(parts) :] != parts:
                continue
            if member.stem in files:
                raise DataError(f"{member.name}: the name {member.stem!r} stands twice in {tail}. Remove one of them")
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
            data = self._read_at_place(member)
            return self._container(member.archive).read(member.path) if data is None else data
        except (
            OSError, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error, zlib.error, zipfile.BadZipFile,
        ) as error:  # fmt: skip
            raise DataError(f"{self.folder / member.name}: cannot be read ({error}). Get the archive again") from error

    def _read_at_place(self, member: Member) -> bytes | None:
        """A file's bytes where it is known where they lie, and they are right; whatever is wrong, the archive itself tells."""
        chain = member.archive
        try:
            if chain not in self._tables:
                table = self._unpacked.places(self.folder / chain[0], chain[1:])
                self._tables[chain] = None if table is None or not table.exists() else PlaceTable(table)
            found = self._tables[chain]
            return None if found is None else found.read(member.path)
        except (OSError, ValueError, KeyError, TypeError, zlib.error, zipfile.BadZipFile):
            self._tables[chain] = None
            return None

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
                kind = "zip" if is_inner(chain[-1]) else "tar"
                raise DataError(f"{name}: not a whole {kind} archive ({error}). Get it again") from error
        return self._open[chain]


def _tail(path: str) -> tuple[str, str]:
    """Names of a file's folder, empty where it lies in none, and of the file; as of PurePosixPath, which takes ten times as long."""
    if "//" in path or "./" in path:
        plain = PurePosixPath(path)
        return plain.parent.name, plain.name
    folders, _, name = path.rpartition("/")
    return folders.rpartition("/")[2], name


def _is_finder_file(path: str) -> bool:
    """macOS adds a shadow of every file, which has the file's folder and ending but not its content, and icons of folders."""
    name = _tail(path)[1]
    return path.startswith("__MACOSX/") or name.startswith("._") or name == FOLDER_ICON
