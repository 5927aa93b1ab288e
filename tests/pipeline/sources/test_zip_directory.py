"""The streamed zip directory against zipfile's: the same entries of whole archives, no surprise from damaged ones."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.sources.zip_directory import ZipEntry, zip_entries

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
REFUSALS = (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError)


def expected(data: bytes) -> list[ZipEntry]:
    """The entries as zipfile has them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [
            ZipEntry(
                info.filename, info.header_offset, info.compress_size, info.file_size, info.CRC,
                info.compress_type, info.flag_bits, info.create_system, info.external_attr,
            )
            for info in archive.infolist()
        ]  # fmt: skip


def packed(files: list[tuple[str, bytes]], comment: bytes = b"", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        archive.comment = comment
    return target.getvalue()


@given(st.lists(st.tuples(NAMES, st.binary(max_size=40)), max_size=6, unique_by=lambda f: f[0]), st.binary(max_size=30),
       st.binary(max_size=20))  # fmt: skip
def test_the_entries_are_zipfiles(files: list[tuple[str, bytes]], comment: bytes, before: bytes) -> None:
    # Marks of end records, which lie in comments or before the archive, mislead zipfile.
    data = before.replace(b"P", b"Q") + packed(files, comment.replace(b"P", b"Q"))
    assert list(zip_entries(io.BytesIO(data))) == expected(data)


def test_a_directory_of_many_chunks_reads_alike_while_others_use_the_file() -> None:
    data = packed([(f"{'folder/' * 20}{number:06d}.png", b"") for number in range(12_000)])
    assert len(data) - data.find(b"PK\1\2") > 2 << 20
    file = io.BytesIO(data)
    found = []
    for entry in zip_entries(file):
        file.seek(len(found))
        found.append(entry)
    assert found == expected(data)


def test_large_archives_have_their_numbers_elsewhere() -> None:
    # Both forms of a large archive: the entry's numbers in its extra field, and the end record of 64 bits.
    data = packed([("large", b"")])
    end, directory = data.rfind(b"PK\5\6"), data.rfind(b"PK\1\2")
    entry = bytearray(data[directory:end])
    extra = struct.pack("<2H3Q", 1, 24, 5_000_000_000, 4_900_000_000, 0)
    struct.pack_into("<2L", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<L", entry, 42, 0xFFFFFFFF)
    entry += extra
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(entry), directory)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, directory + len(entry), 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    whole = data[:directory] + bytes(entry) + record + locator + last
    (found,) = zip_entries(io.BytesIO(whole))
    assert (found.size, found.packed, found.start) == (5_000_000_000, 4_900_000_000, 0)
    assert [found] == expected(whole)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "not a zip"),
        (b"no archive at all, but longer than an end record", "not a zip"),
        (b"PK\5\6" + bytes(10), "not a zip"),
        (struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 100, 0, 0), "offset"),
        (bytes(60) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 60, 0, 0), "magic"),
        (bytes(20) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 20, 0, 0), "Truncated"),
    ],
)
def test_what_is_no_whole_zip_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(zipfile.BadZipFile, match=told):
        list(zip_entries(io.BytesIO(data)))


def test_an_entry_longer_than_the_directory_is_refused() -> None:
    data = bytearray(packed([("one", b"1"), ("two", b"2")]))
    last = data.rfind(b"PK\1\2")
    struct.pack_into("<H", data, last + 28, 60_000)
    with pytest.raises(zipfile.BadZipFile, match="Truncated"):
        list(zip_entries(io.BytesIO(bytes(data))))


@pytest.mark.parametrize(
    ("extra", "told"),
    [(struct.pack("<2H", 7, 9), "extra field 0007"), (struct.pack("<2HQ", 1, 8, 1), "zip64")],
    ids=["cut off", "a number is missing"],
)
def test_damaged_extra_fields_are_refused_as_zipfile_does(extra: bytes, told: str) -> None:
    data = packed([("one", b"1")])
    directory, end = data.rfind(b"PK\1\2"), data.rfind(b"PK\5\6")
    entry = bytearray(data[directory:end])
    struct.pack_into("<2L", entry, 20, 0xFFFFFFFF, 0xFFFFFFFF)
    struct.pack_into("<H", entry, 30, len(extra))
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry) + len(extra), directory, 0)
    whole = data[:directory] + bytes(entry) + extra + last
    with pytest.raises(zipfile.BadZipFile, match=told):
        list(zip_entries(io.BytesIO(whole)))
    with pytest.raises(zipfile.BadZipFile, match=told):
        expected(whole)


def test_damaged_directories_give_zipfiles_entries_or_a_refusal() -> None:
    whole = packed([(f"folder/{number}.png", bytes(number)) for number in range(5)], b"a comment")
    directory = whole.find(b"PK\1\2")
    chance, same = random.Random(3), 0
    for _ in range(4000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(directory, len(data))] = chance.randrange(256)
        try:
            found = list(zip_entries(io.BytesIO(bytes(data))))
        except REFUSALS:
            continue
        assert found == expected(bytes(data))
        same += 1
    assert same > 500


def with_extra_path(name: bytes, path: str, checksum: int) -> bytes:
    """A zip of one file whose path stands in another coding, and in an extra field in UTF-8, as Info-ZIP writes it."""
    data = packed([("x" * len(name), b"1")])
    data = data.replace(b"x" * len(name), name)
    directory, end = data.rfind(b"PK\1\2"), data.rfind(b"PK\5\6")
    content = struct.pack("<BL", 1, checksum) + path.encode()
    extra = struct.pack("<2H", 0x7075, len(content)) + content
    entry = bytearray(data[directory:end])
    struct.pack_into("<H", entry, 30, len(extra))
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(entry) + len(extra), directory, 0)
    return data[:directory] + bytes(entry) + extra + last


def test_a_path_in_an_extra_field_is_the_one(tmp_path: Path) -> None:
    name = "写真.jpg".encode("cp932")
    data = with_extra_path(name, "写真.jpg", zlib.crc32(name))
    assert [entry.path for entry in zip_entries(io.BytesIO(data))] == ["写真.jpg"]
    (tmp_path / "photos.zip").write_bytes(data)
    archives = Archives(tmp_path)
    (member,) = archives.members
    assert member.path == "写真.jpg" and archives.read(member) == b"1"
    stale = with_extra_path(name, "写真.jpg", zlib.crc32(b"another name"))
    assert [entry.path for entry in zip_entries(io.BytesIO(stale))] == [name.decode("cp437")]


def test_an_inner_archive_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "outer.zip").write_bytes(packed([("inner.zip", packed([("one", b"1")]))], method=zipfile.ZIP_STORED))
    archives = Archives(tmp_path)
    (member,) = archives.members
    assert archives.read(member) == b"1"
    later = Archives(tmp_path)
    with pytest.raises(
        DataError, match=r"outer.zip!/gone.zip: not a whole zip archive \(it does not hold 'gone.zip'\)"
    ):
        later.read(replace(member, archive=("outer.zip", "gone.zip")))
