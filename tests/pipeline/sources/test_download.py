import hashlib
import zipfile

import pytest

from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.sources.download import bring_local, verify
from tests.builders import write_zip


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_archives_are_copied_untouched(tmp_path):
    source, folder = tmp_path / "source", tmp_path / "raw"
    folder.mkdir()
    for name in ("a.zip", "b.ZIP"):
        write_zip(source / name, [("x.txt", name.encode())])
    told = []
    bring_local(source, folder, told.append)
    assert contents(folder) == contents(source)
    assert sum(told) == sum(len(data) for data in contents(source).values())


def unpacked(source, order):
    for name in order:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 3)


def test_a_loose_folder_becomes_one_archive_with_the_same_bytes_each_time(tmp_path):
    names = ["train_images/b 1.jpg", "train_images/a.jpg", "train_id.txt", "deep/er/写.png"]
    for place, order in (("one", names), ("two", names[::-1])):
        unpacked(tmp_path / place, order)
        (tmp_path / place / ".DS_Store").write_bytes(place.encode())
        (tmp_path / place / "deep/.hidden").write_bytes(place.encode())
        (tmp_path / f"{place}-raw").mkdir()
        bring_local(tmp_path / place, tmp_path / f"{place}-raw")
    one, two = contents(tmp_path / "one-raw"), contents(tmp_path / "two-raw")
    assert one == two and list(one) == ["unpacked.zip"]
    archive = zipfile.ZipFile(tmp_path / "one-raw/unpacked.zip")
    assert sorted(archive.namelist()) == sorted(names)
    assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    archives = Archives(tmp_path / "one-raw")
    assert archives.read(archives.require("er/写.png", "")) == "deep/er/写.png".encode() * 3


def test_archives_and_loose_files_come_together(tmp_path):
    source, folder = tmp_path / "source", tmp_path / "raw"
    folder.mkdir()
    write_zip(source / "a.zip", [("x.txt", b"x")])
    unpacked(source, ["lists/train_id.txt"])
    write_zip(source / "more/b.zip", [("masks/1.png", b"m")])
    bring_local(source, folder)
    assert set(contents(folder)) == {"a.zip", "unpacked.zip"}
    archives = Archives(folder)
    assert archives.read(archives.require("masks/1.png", "")) == b"m"
    assert archives.read(archives.require("train_id.txt", "")) == b"lists/train_id.txt" * 3


def test_loose_files_never_replace_an_archive_of_the_user(tmp_path):
    source, folder = tmp_path / "source", tmp_path / "raw"
    folder.mkdir()
    write_zip(source / "unpacked.zip", [("x.txt", b"x")])
    unpacked(source, ["train_id.txt"])
    with pytest.raises(DataError, match=r"unpacked\.zip: that name is kept .*Rename the archive"):
        bring_local(source, folder)


def test_a_missing_source_is_told(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder\. Set the data set's `source`"):
        bring_local(tmp_path / "nowhere", tmp_path)


def test_an_empty_source_is_told(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source/.hidden").write_bytes(b"")
    with pytest.raises(DataError, match=r"source: empty\. Put the data set's archives there"):
        bring_local(tmp_path / "source", tmp_path)


def test_checksums_are_verified_or_recorded(tmp_path):
    for name in ("a.zip", "b.zip"):
        write_zip(tmp_path / name, [("x.txt", name.encode())])
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents(tmp_path).items()}
    first, second = verify(tmp_path, {"b.zip": digests["b.zip"].upper()})
    assert (first.name, first.checksum, first.sha256) == ("a.zip", "recorded", digests["a.zip"])
    assert (second.name, second.checksum, second.sha256) == ("b.zip", "verified", digests["b.zip"])
    assert first.bytes == (tmp_path / "a.zip").stat().st_size


def test_a_wrong_checksum_names_both(tmp_path):
    write_zip(tmp_path / "a.zip", [("x.txt", b"")])
    digest = hashlib.sha256((tmp_path / "a.zip").read_bytes()).hexdigest()
    with pytest.raises(DataError, match=rf"^a\.zip: SHA-256 is {digest}, expected {'0' * 64}"):
        verify(tmp_path, {"a.zip": "0" * 64})


def test_an_archive_with_a_checksum_must_be_there(tmp_path):
    with pytest.raises(DataError, match=r"^a\.zip: the source lacks this archive"):
        verify(tmp_path, {"a.zip": "0" * 64})


def test_a_truncated_archive_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("x.txt", b"x" * 100)])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"^a\.zip: not a whole zip archive \(\d+ bytes"):
        verify(tmp_path, {})
