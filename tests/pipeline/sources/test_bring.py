import zipfile
from dataclasses import replace

import fsspec
import pytest

from pipeline.errors import DataError
from pipeline.sources.bring import bring_remote
from pipeline.sources.drive import Drive
from pipeline.sources.fetch import Fetcher
from pipeline.sources.lock import SourceLock
from pipeline.sources.plan import Remote
from pipeline.sources.retry import Patience
from tests.builders import zip_bytes
from tests.file_server import page


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


def fetcher(project):
    lock = SourceLock(project / "sources.lock.yaml", project / "guard")
    return Fetcher("own", project / "store", project / "manual", lock, patience=Patience(0, sleep=lambda seconds: None))


def test_a_folder_of_a_store_comes_as_its_archives_and_one_of_its_loose_files(memory, tmp_path):
    masks = zip_bytes([("masks/1.png", b"m")])
    for name, data in (("masks.zip", masks), ("images/2.jpg", b"two"), ("images/1.jpg", b"one"), ("deep/x.zip", masks)):
        memory.pipe(f"/own/{name}", data)
    remote = Remote((), "memory://own")
    for turn in ("first", "second"):
        folder = tmp_path / turn
        folder.mkdir()
        files = bring_remote(remote, fetcher(tmp_path), folder, {})
        assert [file.name for file in files] == ["masks.zip", "unpacked.zip"]
        assert (folder / "masks.zip").read_bytes() == masks
        assert zipfile.ZipFile(folder / "unpacked.zip").namelist() == ["deep/x.zip", "images/1.jpg", "images/2.jpg"]
    assert (tmp_path / "first/unpacked.zip").read_bytes() == (tmp_path / "second/unpacked.zip").read_bytes()
    (tmp_path / "store/unpacked.zip").unlink()
    memory.pipe("/own/images/1.jpg", b"changed")
    (tmp_path / "third").mkdir()
    with pytest.raises(DataError, match=r"unpacked\.zip: SHA-256 is \w+, expected \w+ as it first came"):
        bring_remote(remote, fetcher(tmp_path), tmp_path / "third", {})


def test_a_folder_that_does_not_answer_any_more_comes_from_what_is_here(memory, tmp_path):
    memory.pipe("/own/a.zip", zip_bytes([("1.jpg", b"one")]))
    memory.pipe("/own/b.txt", b"loose")
    for turn in ("first", "second"):
        (tmp_path / turn).mkdir()
        bring_remote(Remote((), "memory://own"), fetcher(tmp_path), tmp_path / turn, {})
        memory.store.clear()
    assert sorted(path.name for path in (tmp_path / "second").iterdir()) == ["a.zip", "unpacked.zip"]
    with pytest.raises(DataError, match="no such object or folder"):
        bring_remote(Remote((), "memory://other"), fetcher(tmp_path), tmp_path / "first", {})


def listing(*files):
    """The page of a Drive folder."""
    rows = [
        f'<div class="flip-entry"><a href="https://drive.google.com/file/d/{name[0]}/view">'
        f'<div class="flip-entry-title">{name}</div></a></div>'
        for name in files
    ]
    return page(f"<html>{''.join(rows)}</html>")


def test_a_folder_on_drive_comes_as_its_archives_and_one_of_its_loose_files(server, tmp_path):
    server.add("embeddedfolderview?id=x", b"", listing("b.txt", "a.zip"), listing("a.zip", "a.zip"))
    server.add("download?id=a&export=download&confirm=t", zip_bytes([("1.jpg", b"one")]))
    server.add("download?id=b&export=download&confirm=t", b"loose")
    patient = Patience(0, allow_http=True, sleep=lambda seconds: None)
    from_drive = replace(fetcher(tmp_path), drive=Drive(server.url, server.url), patience=patient)
    (tmp_path / "raw").mkdir()
    files = bring_remote(Remote((), "https://drive.google.com/drive/folders/x"), from_drive, tmp_path / "raw", {})
    assert [file.name for file in files] == ["a.zip", "unpacked.zip"]
    assert zipfile.ZipFile(tmp_path / "raw/unpacked.zip").read("b.txt") == b"loose"
    (tmp_path / "store/listing.json").unlink()
    with pytest.raises(DataError, match=r"holds a\.zip twice"):
        bring_remote(Remote((), "https://drive.google.com/drive/folders/x"), from_drive, tmp_path / "raw", {})


def test_a_folder_that_is_not_there_is_told(memory, tmp_path):
    with pytest.raises(DataError, match=r"own: memory://own: no such object or folder.*Look there"):
        bring_remote(Remote((), "memory://own", "Look there"), fetcher(tmp_path), tmp_path, {})
    memory.pipe("/own/readme.txt", b"x")
    with pytest.raises(DataError, match=r"is one file, and its name is no archive's"):
        bring_remote(Remote((), "memory://own/readme.txt"), fetcher(tmp_path), tmp_path, {})
