"""The folder of predictions: whole, gone on with, never mixed with anything else."""

import errno
import json
import os

import pytest
from pycocotools.coco import COCO

from pipeline.errors import DataError, ParamsError
from trainer.photos.results import ABOUT, LIST, ResultFolder

CATEGORIES = [{"id": 1, "name": "person"}]


def line(people=1, outcomes=()):
    person = {"category_id": 1, "segmentation": [], "bbox": [0, 0, 1, 1], "area": 1, "iscrowd": 0, "score": 0.5}
    return {"file_name": "f.jpg", "width": 4, "height": 3, "people": [person] * people, "outcomes": list(outcomes)}


def test_photos_are_told_by_name_whatever_the_order_they_came_in(tmp_path):
    folder = ResultFolder(tmp_path / "out", {"model": "m"})
    folder.keep("b", "2", line(2), {"parts/b.png": b"x"})
    folder.keep("a/é", "1", line(1, [{"sample_id": "a/é", "reason": "r"}]), {"parts/a/é.png": b"y"})
    assert folder.finish(CATEGORIES, "d") == {"photos": 2, "people": 3}
    names = [json.loads(text)["name"] for text in (tmp_path / "out" / LIST).read_text(encoding="utf-8").splitlines()]
    assert names == ["a/é", "b"] and (tmp_path / "out/parts/a/é.png").read_bytes() == b"y"
    coco = COCO(tmp_path / "out" / "people.json")
    assert [len(coco.getAnnIds(imgIds=[n])) for n in (1, 2)] == [1, 2] and coco.getAnnIds() == [1, 2, 3]
    assert json.loads((tmp_path / "out/outcomes.jsonl").read_text(encoding="utf-8")) == {
        "sample_id": "a/é",
        "reason": "r",
    }
    assert not [path.name for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]


def test_a_killed_run_is_gone_on_with_after_its_last_whole_line(tmp_path):
    folder = ResultFolder(tmp_path, {"model": "m"})
    folder.keep("a", "1", line(), {})
    folder.keep("b", "2", line(), {})
    text = (tmp_path / LIST).read_text(encoding="utf-8")
    (tmp_path / LIST).write_text(text[:-20], encoding="utf-8")
    again = ResultFolder(tmp_path, {"model": "m"})
    assert again.holds("a", "1") and not again.holds("b", "2") and not again.holds("a", "other bytes")
    again.keep("b", "2", line(), {})
    again.finish(CATEGORIES, "d")
    assert (tmp_path / LIST).read_text(encoding="utf-8") == text


def test_a_photo_that_changed_is_told_once(tmp_path):
    folder = ResultFolder(tmp_path, {"model": "m"})
    folder.keep("a", "1", line(3), {})
    folder.keep("a", "2", line(1), {})
    assert folder.finish(CATEGORIES, "d") == {"photos": 1, "people": 1} and ResultFolder(
        tmp_path, {"model": "m"}
    ).holds("a", "2")


def test_foreign_folders_stay_as_they_are(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ParamsError, match=r"holds files, and no predict\.json of a run before"):
        ResultFolder(tmp_path, {"model": "m"})
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    with pytest.raises(ParamsError, match="is a file"):
        ResultFolder(tmp_path / "precious.txt", {})


def test_a_folder_made_otherwise_is_refused_by_the_first_difference(tmp_path):
    ResultFolder(tmp_path, {"model": "m", "rules": {"score": 0.5}})
    before = (tmp_path / ABOUT).read_bytes()
    with pytest.raises(ParamsError, match=r"was made with rules \{'score': 0.5\}, now it is \{'score': 0.6\}"):
        ResultFolder(tmp_path, {"model": "m", "rules": {"score": 0.6}})
    assert (tmp_path / ABOUT).read_bytes() == before


def test_a_full_disk_is_told_and_leaves_what_was_done(tmp_path, monkeypatch):
    folder = ResultFolder(tmp_path, {"model": "m"})
    folder.keep("a", "1", line(), {"parts/a.png": b"x"})

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("trainer.photos.results.write_whole", full)
    with pytest.raises(DataError, match=r"cannot be written \(No space left on device\)\. Make room and run it again"):
        folder.keep("b", "2", line(), {"parts/b.png": b"x"})
    again = ResultFolder(tmp_path, {"model": "m"})
    assert again.holds("a", "1") and not again.holds("b", "2")
