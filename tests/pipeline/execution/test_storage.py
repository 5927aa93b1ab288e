"""Files that go through a store by their content."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.execution.storage import Storage


@pytest.fixture
def place(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def storage(place):
    return Storage(f"file://{place}/")


def written(path, data):
    path.write_bytes(data)
    return path


def test_a_file_comes_back_as_it_went(storage, place, tmp_path):
    sha256 = storage.put(written(tmp_path / "a.parquet", b"crops"))
    assert sha256 == hashlib.sha256(b"crops").hexdigest()
    storage.bring(sha256, tmp_path / "other/machine/b.parquet")
    assert (tmp_path / "other/machine/b.parquet").read_bytes() == b"crops"
    assert os.listdir(tmp_path / "other/machine") == ["b.parquet"] and os.listdir(place / "objects") == [sha256]


def test_what_is_there_is_not_written_again(storage, place, tmp_path):
    sha256 = storage.put(written(tmp_path / "a", b"crops"))
    before = (place / "objects" / sha256).stat()
    assert storage.put(written(tmp_path / "b", b"crops")) == sha256 == storage.put(tmp_path / "b", sha256)
    after = (place / "objects" / sha256).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_what_a_killed_writer_left_is_written_anew(storage, place, tmp_path):
    sha256 = storage.put(written(tmp_path / "a", b"crops"))
    (place / "objects" / sha256).write_bytes(b"cro")
    storage.put(tmp_path / "a")
    assert (place / "objects" / sha256).read_bytes() == b"crops"


def test_the_same_file_may_be_brought_by_several_at_once(storage, tmp_path):
    data = os.urandom(4 << 20)
    sha256 = storage.put(written(tmp_path / "a", data))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: storage.bring(sha256, tmp_path / "b"), range(32)))
    assert (tmp_path / "b").read_bytes() == data and sorted(os.listdir(tmp_path)) == ["a", "b", "store"]


def test_a_damaged_object_is_refused_and_the_old_file_stays(storage, place, tmp_path):
    sha256 = storage.put(written(tmp_path / "a", b"crops"))
    (place / "objects" / sha256).write_bytes(b"crap!")
    target = written(tmp_path / "b", b"old")
    with pytest.raises(
        DataError, match=rf"file://.*/objects/{sha256} is damaged, .* Delete it and run the command again$"
    ):
        storage.bring(sha256, target)
    assert target.read_bytes() == b"old" and sorted(os.listdir(tmp_path)) == ["a", "b", "store"]


def test_an_object_that_is_gone_is_told_in_one_line(storage, place, tmp_path):
    sha256 = storage.put(written(tmp_path / "a", b"crops"))
    (place / "objects" / sha256).unlink()
    with pytest.raises(
        DataError,
        match=rf"^executor\.storage: b\.npz cannot be brought to .*objects/{sha256}: not found there\)\. Run the command again",
    ) as raised:
        storage.bring(sha256, tmp_path / "b.npz")
    assert "\n" not in str(raised.value) and not (tmp_path / "b.npz").exists()


def test_a_file_whose_bytes_are_not_those_of_its_manifest_is_not_stored(storage, place, tmp_path):
    wrong = hashlib.sha256(b"what the manifest says").hexdigest()
    with pytest.raises(DataError, match=r"a: damaged, its bytes are not those of its manifest\. Run the stage"):
        storage.put(written(tmp_path / "a", b"crops"), wrong)
    assert not place.exists()


def test_a_store_that_cannot_be_used_is_told_in_one_line(tmp_path):
    path = written(tmp_path / "a", b"crops")
    with pytest.raises(
        ParamsError, match=r"^executor\.storage: file:///proc/no cannot be written from .*not found there\)\. Give"
    ):
        Storage("file:///proc/no").put(path)
    with pytest.raises(
        ParamsError, match=r"^executor\.storage: file://.*/a/objects/.*: NotADirectoryError: .*\(on .+\)$"
    ):
        Storage(f"file://{path}").put(path)


def test_a_protocol_that_nobody_knows_and_a_missing_driver_are_told_in_one_line(monkeypatch):
    with pytest.raises(ParamsError, match=r"^executor\.storage: s4://bucket: Protocol not known: s4 \(on .+\)$"):
        Storage("s4://bucket")

    def missing(url):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.url_to_fs", missing)
    with pytest.raises(
        ParamsError, match=r"^executor\.storage: s3:// needs a further package: Install s3fs to access S3"
    ):
        Storage("s3://bucket/folder")
