"""Tar archives: an index of a plain one, whose files lie in one piece each, and a compressed one turned into a stored zip."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK = 1 << 20
_PADDING = 1 << 30
"""Bytes behind the end mark beyond which a tar is refused; tar itself pads to a few thousand."""


class NotPlain(Exception):
    """An archive holds a link, a device or a sparse file."""


Admit = Callable[[str, int], None]
"""Told path and size of every file before it is unpacked; raises DataError to refuse."""


@dataclass(frozen=True)
class TarEntry:
    """One file of a tar: path without a leading `./`, where its bytes begin, how many they are, their CRC-32."""

    path: str
    start: int
    size: int
    crc: int


def index_tar(file: IO[bytes]) -> list[TarEntry]:
    """The files of a plain tar, in its order; reads all of it, for the checksums.

    Raises:
        NotPlain: it holds a link, a device or a sparse file.
        tarfile.TarError, EOFError: it is not whole.
    """
    entries = []
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for info, content in _files(tar):
            crc = 0
            while chunk := content.read(_CHUNK):
                crc = zlib.crc32(chunk, crc)
            entries.append(TarEntry(_path(info), info.offset_data, info.size, crc))
    return entries


def tar_to_zip(file: IO[bytes], target: IO[bytes], admit: Admit) -> None:
    """Write the files of a tar of any compression as a stored zip: same paths, same order, fixed dates.

    Raises:
        NotPlain: it holds a link, a device or a sparse file.
        DataError: `admit` refuses a file.
        tarfile.TarError, EOFError, zlib.error, OSError: it is not whole.
    """
    with tarfile.open(fileobj=file, mode="r:*") as tar, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for info, content in _files(tar):
            admit(_path(info), info.size)
            entry = zipfile.ZipInfo(_path(info), FIXED_DATE)
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=info.size >= 1 << 31) as member:
                shutil.copyfileobj(content, member, _CHUNK)


def check_tar(file: IO[bytes]) -> None:
    """Read a tar of any compression to its end; errors as in `tar_to_zip`."""
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        for _ in _files(tar):
            pass


def _files(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The regular files of a tar with their content, then a check that the archive ends where it says so."""
    for info in tar:
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise NotPlain(f"{info.name}: a link, a device or a sparse file. Pack the tar again with --dereference")
        content = tar.extractfile(info)
        assert content is not None  # regular files always have one
        yield info, content
    # tarfile takes a damaged header for the end; the true end is a block of zeros.
    end = tar.fileobj
    assert end is not None  # only None once closed
    end.seek(tar.offset)
    if end.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends before its end mark")
    behind = 0
    while chunk := end.read(_CHUNK):  # compressed: the checksum stands behind the last byte
        behind += len(chunk)
        if behind > _PADDING:
            raise tarfile.ReadError("it goes on behind its end mark")


def _path(info: tarfile.TarInfo) -> str:
    return PurePosixPath(info.name).as_posix()
