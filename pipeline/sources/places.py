"""Where each file of an archive lies, in a table on disk: single files are read without the archive's directory in memory.

A worker process reads some sixty files of an archive that may hold half a million. Opened the usual way, the whole directory
comes into the memory of every process.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from pipeline.shards.write import write_whole

_ROW = np.dtype(
    [("path", "<u8"), ("start", "<i8"), ("packed", "<i8"), ("size", "<i8"), ("crc", "<u4"), ("deflated", "?"), ("headed", "?")]
)  # fmt: skip
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_MOST = 1 << 62
"""Bytes that no file has; directories can be made that say so."""
_SIGNATURE = b"PK\x03\x04"


class Place(NamedTuple):
    """One file of an archive.

    Attributes:
        path: as the archive's directory tells it.
        start: of its bytes, or of the header before them, in the file on disk that holds the archive.
        packed, size: bytes there, and unpacked.
        crc: CRC-32 of the unpacked bytes.
        deflated: else it is stored as it is.
        headed: a zip's local header stands before it.
    """

    path: str
    start: int
    packed: int
    size: int
    crc: int
    deflated: bool
    headed: bool


class PlaceTable:
    """The places of one archive, read from a table that `write_places` wrote.

    Raises:
        OSError, ValueError, KeyError, TypeError: there is no such table, or no whole one; or not the file that it is about.
    """

    def __init__(self, table: Path) -> None:
        with table.open("rb") as file:
            head = file.readline()
        content = json.loads(head)
        self._rows = np.memmap(table, _ROW, "r", offset=len(head), shape=(content["files"],))
        self._file: BinaryIO = Path(content["file"]).open("rb")  # noqa: SIM115  (lives as long as the table)

    def read(self, path: str) -> bytes | None:
        """A file's bytes, checked against its CRC; None where the table does not have it.

        Raises:
            OSError, zlib.error, zipfile.BadZipFile: it is damaged.
        """
        key = _key(path)
        at = int(np.searchsorted(self._rows["path"], np.uint64(key)))
        if at == len(self._rows) or int(self._rows["path"][at]) != key:
            return None
        row = self._rows[at]
        start = int(row["start"])
        if row["headed"]:
            start += self._header_bytes(path, start)
        packed = os.pread(self._file.fileno(), int(row["packed"]), start)
        data = (
            zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, int(row["size"]) + 1) if row["deflated"] else packed
        )
        if len(data) != row["size"] or zlib.crc32(data) != row["crc"]:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {path!r}")
        return data

    def _header_bytes(self, path: str, start: int) -> int:
        header = os.pread(self._file.fileno(), _LOCAL_HEADER.size, start)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_SIGNATURE):
            raise zipfile.BadZipFile(f"no file begins where {path!r} should")
        *_, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        return _LOCAL_HEADER.size + int(name_bytes) + int(extra_bytes)


def write_places(table: Path, archive: Path, places: Iterable[Place]) -> None:
    """Write the table of an archive whose bytes lie in the file `archive`, whole or not at all."""
    held = archive.stat().st_size
    rows = np.fromiter(
        (
            (_key(place.path), *place[1:])
            for place in places
            if 0 <= place.start < held and place.packed <= held and place.size < _MOST
        ),
        _ROW,
    )
    rows.sort(order="path")
    # Two paths of one key are left to the archive's own directory.
    alone = np.ones(len(rows), bool)
    twice = rows["path"][1:] == rows["path"][:-1]
    alone[1:] &= ~twice
    alone[:-1] &= ~twice
    rows = rows[alone]
    table.parent.mkdir(parents=True, exist_ok=True)
    head = json.dumps({"file": str(archive.resolve()), "files": len(rows)}).encode() + b"\n"
    write_whole(table, head + rows.tobytes())


def _key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little")
