"""Files read where a table on disk says that they lie, without the archive's directory."""

import io
import tarfile
import zipfile

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.sources import archives as archives_module
from pipeline.sources.archives import Archives
from pipeline.sources.places import Place, PlaceTable, write_places
from tests.builders import tar_bytes, write_zip, zip_bytes

FILES = [(f"T/images/{number}.jpg", bytes([number]) * (100 * number)) for number in range(1, 60)]


@pytest.fixture
def no_directories(monkeypatch):
    """From here on no archive is opened as a whole."""

    def refuse(*_):
        raise AssertionError("an archive's directory is read")

    def close():
        monkeypatch.setattr(archives_module, "open_container", refuse)
        monkeypatch.setattr(archives_module, "ZipContainer", refuse)

    return close


def packed(folder, kind):
    """The files in an archive of one kind, or in an archive inside it."""
    folder.mkdir()
    method = zipfile.ZIP_DEFLATED if "deflated" in kind else zipfile.ZIP_STORED
    plain = zip_bytes(FILES, method)
    if kind.startswith("zip"):
        (folder / "a.zip").write_bytes(b"before it" * 9 + plain if "prepended" in kind else plain)
    elif kind.startswith("inner"):
        write_zip(folder / "a.zip", [("note.txt", b"x" * 77), ("in/b.zip", zip_bytes([("c.zip", plain)], method))])
    else:
        (folder / f"a.{kind}").write_bytes(tar_bytes(FILES, "gz" if kind.endswith("gz") else ""))


@pytest.mark.parametrize("kind", ["zip", "zip deflated", "zip prepended", "inner", "inner deflated", "tar", "tar.gz"])
def test_another_process_reads_files_without_the_directory(tmp_path, no_directories, kind):
    packed(tmp_path / "raw", kind)
    listing = Archives(tmp_path / "raw", tmp_path / "scratch")
    members = [member for member in listing.members if member.path.startswith("T/")]
    no_directories()
    for archives in (listing, Archives(tmp_path / "raw", tmp_path / "scratch", limits=None)):
        assert [(one.path, archives.read(one)) for one in members] == FILES
        assert archives.read(members[7]) == FILES[7][1]


def test_without_scratch_everything_is_read_through_the_directory(tmp_path):
    packed(tmp_path / "raw", "inner")
    archives = Archives(tmp_path / "raw")
    assert [archives.read(one) for one in archives.members[1:]] == [data for _, data in FILES]


def test_a_replaced_archive_gets_a_table_of_its_own(tmp_path):
    packed(tmp_path / "raw", "zip")
    assert len(Archives(tmp_path / "raw", tmp_path / "scratch").members) == len(FILES)
    write_zip(tmp_path / "raw/a.zip", [("T/images/1.jpg", b"another one")])
    archives = Archives(tmp_path / "raw", tmp_path / "scratch")
    assert archives.read(archives.members[0]) == b"another one"
    assert len(list((tmp_path / "scratch/archives").glob("*.places"))) == 2


@pytest.mark.parametrize("spoil", ["cut", "no number", "wrong rows", "gone"])
def test_a_spoilt_table_is_passed_over(tmp_path, spoil):
    packed(tmp_path / "raw", "zip deflated")
    members = Archives(tmp_path / "raw", tmp_path / "scratch").members
    (table,) = (tmp_path / "scratch/archives").glob("*.places")
    data = table.read_bytes()
    head, rows = data.split(b"\n", 1)
    spoilt = {"cut": data[:-9], "no number": b'{"file": "x"}\n' + rows, "wrong rows": head + b"\n" + rows[::-1]}
    if spoil == "gone":
        table.unlink()
    else:
        table.write_bytes(spoilt[spoil])
    archives = Archives(tmp_path / "raw", tmp_path / "scratch", limits=None)
    assert [archives.read(one) for one in members] == [data for _, data in FILES]


def test_damage_is_told_as_by_the_archive_itself(tmp_path):
    packed(tmp_path / "raw", "zip")
    members = Archives(tmp_path / "raw", tmp_path / "scratch").members
    data = (tmp_path / "raw/a.zip").read_bytes()
    place = data.index(FILES[4][1])
    with (tmp_path / "raw/a.zip").open("r+b") as file:
        file.seek(place)
        file.write(b"\xff")
    archives = Archives(tmp_path / "raw", tmp_path / "scratch")
    with pytest.raises(DataError, match=r"a\.zip!/T/images/5\.jpg: cannot be read \(Bad CRC-32.*Get the archive again"):
        archives.read(members[4])
    assert archives.read(members[5]) == FILES[5][1]


def test_files_that_are_packed_otherwise_are_left_to_the_directory(tmp_path):
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw/a.zip", "w") as archive:
        archive.writestr("bz.txt", b"b" * 500, zipfile.ZIP_BZIP2)
        archive.writestr("写.txt", b"u" * 500, zipfile.ZIP_DEFLATED)
    archives = Archives(tmp_path / "raw", tmp_path / "scratch")
    assert {one.path: archives.read(one) for one in archives.members} == {"bz.txt": b"b" * 500, "写.txt": b"u" * 500}


def test_two_files_of_one_key_and_places_that_cannot_be_are_left_out(tmp_path):
    (tmp_path / "bytes").write_bytes(bytes(100))
    crc = 0xD202EF8D  # of one zero byte
    places = [
        Place("twice", 0, 1, 1, crc, False, False),
        Place("twice", 1, 1, 1, crc, False, False),
        Place("beyond", 1 << 70, 1, 1, crc, False, False),
        Place("before", -5, 1, 1, crc, False, False),
        Place("vast", 0, 1, 1 << 63, crc, True, False),
        Place("good", 7, 1, 1, crc, False, False),
    ]
    write_places(tmp_path / "table", tmp_path / "bytes", places)
    table = PlaceTable(tmp_path / "table")
    assert table.read("good") == b"\0"
    assert [table.read(name) for name in ("twice", "beyond", "before", "vast", "never")] == [None] * 5


def test_a_size_that_lies_is_damage(tmp_path):
    """A bomb is not unpacked further than the directory says."""
    data = zip_bytes([("a.txt", bytes(10_000_000))], zipfile.ZIP_DEFLATED)
    (tmp_path / "a.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        info = archive.getinfo("a.txt")
    place = Place("a.txt", info.header_offset, info.compress_size, 10, info.CRC, True, True)
    write_places(tmp_path / "table", tmp_path / "a.zip", [place])
    with pytest.raises(zipfile.BadZipFile, match=r"Bad CRC-32 for file 'a\.txt'"):
        PlaceTable(tmp_path / "table").read("a.txt")


def test_tables_are_small_and_sorted(tmp_path):
    packed(tmp_path / "raw", "zip")
    assert Archives(tmp_path / "raw", tmp_path / "scratch").members
    (table,) = (tmp_path / "scratch/archives").glob("*.places")
    rows = np.frombuffer(table.read_bytes().split(b"\n", 1)[1], np.uint8).reshape(len(FILES), -1)
    keys = rows[:, :8].copy().view("<u8")[:, 0]
    assert rows.shape[1] == 38 and (np.diff(keys.astype(object)) > 0).all()


def test_a_tar_with_a_header_of_its_own_for_long_names(tmp_path, no_directories):
    (tmp_path / "raw").mkdir()
    long = "T/" + "x" * 150 + ".jpg"
    with tarfile.open(tmp_path / "raw/a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo(long)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"long"))
    (member,) = Archives(tmp_path / "raw", tmp_path / "scratch").members
    no_directories()
    assert Archives(tmp_path / "raw", tmp_path / "scratch", limits=None).read(member) == b"long"
