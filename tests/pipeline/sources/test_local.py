import pytest

from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.sources.download import UNPACKED, bring_local
from pipeline.sources.local import LocalSource
from tests import builders

FILES = {
    "images/写真 1.jpg": b"a",
    "images/b/c.jpg": b"bc",
    "train.txt": b"x",
    "images/.hidden": b"",
    ".git/config": b"",
}


def source(folder):
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    inner = builders.zip_bytes([("deep/d.png", b"png")])
    (folder / "images" / "inner.zip").write_bytes(inner)
    builders.write_zip(folder / "masks.zip", [("masks/a.png", b"mask"), ("more.zip", inner)])
    return folder


def test_a_source_is_read_as_it_will_be_once_it_is_brought(tmp_path):
    folder, brought = source(tmp_path / "source"), tmp_path / "raw"
    brought.mkdir()
    bring_local(folder, brought)
    here, there = LocalSource(folder), Archives(brought)
    assert [(m.archive, m.path, m.size) for m in here.members] == [(m.archive, m.path, m.size) for m in there.members]
    assert [here.read(one) for one in here.members] == [there.read(one) for one in there.members]
    assert here.find("train.txt").archive == (UNPACKED,) and not any(".hidden" in one.path for one in here.members)


def test_one_archive_is_read_without_what_lies_beside_it(tmp_path):
    source(tmp_path)
    archives = LocalSource(tmp_path / "masks.zip")
    assert [one.path for one in archives.members] == ["masks/a.png", "deep/d.png"] and archives.find(
        "train.txt"
    ) is None


def test_what_is_no_source_is_told(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        LocalSource(tmp_path / "nowhere")
    with pytest.raises(DataError, match="empty"):
        LocalSource(tmp_path)
