"""The directory at the end of a zip file, read entry by entry.

`zipfile` makes an object of some 700 bytes for every file of an archive, all of them at once; sets have millions of files.
Sections are those of the format's specification, APPNOTE.TXT 6.3.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

_END = struct.Struct("<4s4H2LH")
"""End of central directory record (4.3.16), without the comment behind it."""
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_HEADER = struct.Struct("<4s6H3L5H2L")
"""Central directory header (4.3.12), without the name, extra fields and comment behind it."""
_END_SIGN, _END_64_LOCATOR_SIGN, _END_64_SIGN, _HEADER_SIGN = b"PK\5\6", b"PK\6\7", b"PK\6\6", b"PK\1\2"
_LONGEST_COMMENT = 0xFFFF
_LONGEST_ENTRY = _HEADER.size + 3 * 0xFFFF
_ELSEWHERE = 0xFFFFFFFF
"""In place of a number that stands in the extra field of large files (4.5.3)."""
_LARGE_FILE, _UNICODE_PATH = 0x0001, 0x7075
_NEWEST_VERSION = 63
UTF8_PATH = 0x800
"""Flag of an entry whose path is UTF-8, set here where an extra field tells it so; others are read as DOS characters."""
_CHUNK = 1 << 20


class ZipEntry(NamedTuple):
    """One entry of the directory.

    Attributes:
        path: as the entry tells it; it ends in a slash where the entry is a folder.
        start: of the local header before the file's bytes, from the beginning of the file that holds the archive.
        packed, size: bytes there, and unpacked.
        crc: CRC-32 of the unpacked bytes.
        method: of compression.
        flags: general purpose bits (4.4.4).
        system: that the entry was made on (4.4.2).
        attributes: of the file, as that system has them.
    """

    path: str
    start: int
    packed: int
    size: int
    crc: int
    method: int
    flags: int
    system: int
    attributes: int

    @property
    def is_folder(self) -> bool:
        """Whether it has no bytes of its own."""
        return self.path.endswith("/")


def zip_entries(file: IO[bytes]) -> Iterator[ZipEntry]:
    """The entries of a zip's directory in its order; the file may be read elsewhere between two of them.

    Raises:
        zipfile.BadZipFile: it is no zip file, or its directory is damaged.
        NotImplementedError: it needs a newer reader.
        UnicodeDecodeError: a path is not what its entry says.
    """
    at, end, before = _directory(file)
    held, held_from = b"", at
    while at < end:
        if held_from + len(held) < min(at + _LONGEST_ENTRY, end):
            file.seek(at)
            held, held_from = file.read(min(_CHUNK, end - at)), at
        entry, taken = _entry(held, at - held_from, before)
        at += taken
        yield entry


def _directory(file: IO[bytes]) -> tuple[int, int, int]:
    """Where the directory begins and ends, and how many bytes before the archive are not its own."""
    held = file.seek(0, os.SEEK_END)
    tail_start = max(0, held - _LONGEST_COMMENT - _END.size)
    file.seek(tail_start)
    tail = file.read()
    at = len(tail) - _END.size
    if not (at >= 0 and tail.startswith(_END_SIGN, at) and tail.endswith(b"\0\0")):  # the usual one, without a comment
        at = tail.rfind(_END_SIGN)
    if at < 0 or len(tail) < at + _END.size:
        raise zipfile.BadZipFile("File is not a zip file")
    *_, size, start, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if large := _directory_64(file, end):
        size, start, end = large
    before = end - size - start
    if start + before < 0:
        raise zipfile.BadZipFile("Bad offset for central directory")
    return start + before, start + before + size, before


def _directory_64(file: IO[bytes], end: int) -> tuple[int, int, int] | None:
    """Size and start of a large archive's directory, and where its end record stands; None where there is no such record."""
    if end < _END_64_LOCATOR.size + _END_64.size:
        return None
    file.seek(end - _END_64_LOCATOR.size - _END_64.size)
    data = file.read(_END_64.size + _END_64_LOCATOR.size)
    if len(data) < _END_64.size + _END_64_LOCATOR.size:
        return None
    sign, disk, _, disks = _END_64_LOCATOR.unpack_from(data, _END_64.size)
    if sign != _END_64_LOCATOR_SIGN:
        return None
    if disk or disks > 1:
        raise zipfile.BadZipFile("zipfiles that span multiple disks are not supported")
    sign, *_, size, start = _END_64.unpack_from(data)
    return (size, start, end - _END_64_LOCATOR.size - _END_64.size) if sign == _END_64_SIGN else None


def _entry(held: bytes, place: int, before: int) -> tuple[ZipEntry, int]:
    """The entry that begins at `place`, and its bytes."""
    if len(held) < place + _HEADER.size:
        raise zipfile.BadZipFile("Truncated central directory")
    (
        sign, made_by, needs, flags, method, _, _, crc, packed, size, name_bytes, extra_bytes, comment_bytes, _, _,
        attributes, start,
    ) = _HEADER.unpack_from(held, place)  # fmt: skip
    if sign != _HEADER_SIGN:
        raise zipfile.BadZipFile("Bad magic number for central directory")
    name_at = place + _HEADER.size
    extra_at = name_at + name_bytes
    taken = _HEADER.size + name_bytes + extra_bytes + comment_bytes
    if len(held) < place + taken:
        raise zipfile.BadZipFile("Truncated central directory")
    if needs & 0xFF > _NEWEST_VERSION:
        raise NotImplementedError(f"zip file version {(needs & 0xFF) / 10:.1f}")
    name, extra = held[name_at:extra_at], held[extra_at : extra_at + extra_bytes]
    if extra:
        size, packed, start = _large(extra, size, packed, start)
    told = _told_path(extra, name)
    if told is not None:
        flags |= UTF8_PATH
    path = (name.decode("utf-8" if flags & UTF8_PATH else "cp437") if told is None else told).partition("\0")[0]
    return ZipEntry(path, before + start, packed, size, crc, method, flags, made_by >> 8, attributes), taken


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and content of extra fields (4.5.1).

    Raises:
        zipfile.BadZipFile: they are cut off.
    """
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        place += 4
        if place + length > len(extra):
            raise zipfile.BadZipFile(f"Corrupt extra field {kind:04x} (size={length})")
        yield kind, extra[place : place + length]
        place += length


def _large(extra: bytes, size: int, packed: int, start: int) -> tuple[int, int, int]:
    """The three numbers of an entry, those of them that do not fit into 32 bits read from its extra fields.

    Raises:
        zipfile.BadZipFile: the fields are cut off, or lack a number.
    """
    for kind, content in _fields(extra):
        if kind == _LARGE_FILE:
            numbers = (value for (value,) in struct.iter_unpack("<Q", content[: len(content) // 8 * 8]))
            try:
                size, packed, start = (
                    next(numbers) if value == _ELSEWHERE else value for value in (size, packed, start)
                )
            except RuntimeError as error:  # what a generator makes of StopIteration
                raise zipfile.BadZipFile("Corrupt zip64 extra field") from error
    return size, packed, start


def _told_path(extra: bytes, name: bytes) -> str | None:
    """The path in UTF-8 that an extra field tells beside one in another coding (4.6.9); None where there is none, or an old one."""
    for kind, content in _fields(extra):
        if kind == _UNICODE_PATH and len(content) > 5:
            version, checksum = struct.unpack_from("<BL", content)
            if version == 1 and checksum == zlib.crc32(name):
                return content[5:].decode("utf-8")
    return None
