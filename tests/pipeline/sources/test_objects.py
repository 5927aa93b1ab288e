import fsspec
import pytest

from pipeline.sources.objects import download_object, list_objects
from pipeline.sources.part import Origin, Part
from pipeline.sources.retry import MirrorError, Patience

DATA = bytes(range(256)) * 100


@pytest.fixture
def memory():
    store = fsspec.filesystem("memory")
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture
def part(tmp_path):
    return Part(tmp_path / "a.zip.part")


def test_an_object_comes_whole_and_its_bytes_are_told(memory, part, tmp_path):
    memory.pipe("/sets/a.zip", DATA)
    (tmp_path / "b.zip").write_bytes(DATA)
    for url in ("memory://sets/a.zip", f"file://{tmp_path}/b.zip"):
        told = []
        download_object(url, part, Patience(), lambda done, total: told.append((done, total)), len(DATA))  # noqa: B023
        assert part.path.read_bytes() == DATA
        assert told == [(0, len(DATA)), (len(DATA), len(DATA))]


def test_an_unfinished_object_is_continued_and_a_changed_one_starts_over(memory, part):
    memory.pipe("/sets/a.zip", DATA)
    version = str(memory.ukey("/sets/a.zip"))
    for known, first in ((version, 1000), ("another", 0)):
        with part.begin(Origin("memory://sets/a.zip", known, len(DATA))) as file:
            file.write(DATA[:1000])
        told = []
        download_object("memory://sets/a.zip", part, Patience(), lambda done, total: told.append(done))  # noqa: B023
        assert part.path.read_bytes() == DATA and told[0] == first


def test_a_passing_failure_is_tried_again(memory, part, monkeypatch):
    memory.pipe("/sets/a.zip", DATA)
    answers, pauses = [OSError("reset"), DATA[:7], DATA], []

    def flaky(self, path, start=None, end=None, **options):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(type(memory), "cat_file", flaky)
    download_object("memory://sets/a.zip", part, Patience(sleep=pauses.append))
    assert part.path.read_bytes() == DATA and pauses == [1, 2]


def test_what_cannot_be_had_is_told(memory, part):
    memory.pipe("/sets/a.zip", DATA)
    for url, expected, told in (
        ("memory://sets/b.zip", None, r"memory://sets/b\.zip: not found there"),
        ("memory://sets/a.zip", 5, "has 25600 bytes, expected 5"),
        ("nosuch://x/a.zip", None, "Protocol not known: nosuch"),
    ):
        with pytest.raises(MirrorError, match=told):
            download_object(url, part, Patience(), expected_bytes=expected)


def test_a_missing_driver_is_named(part, monkeypatch):
    def missing(url):
        raise ImportError("Install huggingface_hub to access HfFileSystem")

    monkeypatch.setattr(fsspec, "url_to_fs", missing)
    with pytest.raises(MirrorError, match=r"^hf:// needs a further package: Install huggingface_hub"):
        download_object("hf://datasets/a/b/c.zip", part, Patience())


def test_a_folder_is_listed_with_sizes_and_without_hidden_files(memory):
    for name in ("b.zip", "images/1.jpg", ".git/x", "images/.hidden"):
        memory.pipe(f"/sets/lip/{name}", DATA)
    assert list_objects("memory://sets/lip/") == [
        ("b.zip", "memory:///sets/lip/b.zip", len(DATA)),
        ("images/1.jpg", "memory:///sets/lip/images/1.jpg", len(DATA)),
    ]
    assert list_objects("memory://sets/lip/b.zip") is None
    with pytest.raises(MirrorError, match="no such object or folder"):
        list_objects("memory://nothing/here")
