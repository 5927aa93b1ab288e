"""Which photos an argument means, and what each is called."""

import os

import pytest

from pipeline.errors import ParamsError
from trainer.photos.finding import find_photos


@pytest.fixture
def album(tmp_path):
    for name in (
        "a.jpg",
        "b.PNG",
        "sub/a.jpg",
        "sub/deep/c.webp",
        ".hidden.jpg",
        ".git/d.jpg",
        "notes.txt",
        "out/e.jpg",
    ):
        file = tmp_path / "album" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return tmp_path / "album"


def names(found):
    return [photo.name for photo in found.photos]


def test_a_folder_gives_its_photos_and_those_below_but_nothing_hidden_and_not_what_was_made_of_them(album):
    found = find_photos([str(album)], album / "out")
    assert names(found) == ["a", "b", "sub/a", "sub/deep/c"] and found.root == album and found.others == 1
    assert [photo.path for photo in found.photos] == [
        album / f"{n}" for n in ("a.jpg", "b.PNG", "sub/a.jpg", "sub/deep/c.webp")
    ]
    assert names(find_photos([str(album), str(album / "sub")], album / "out")) == ["a", "b", "sub/a", "sub/deep/c"]


def test_the_order_of_the_arguments_and_where_one_stands_change_nothing(album, monkeypatch):
    expected = find_photos([str(album / "sub"), str(album / "a.jpg")], album / "out")
    assert names(expected) == ["a", "sub/a", "sub/deep/c"]
    monkeypatch.chdir(album)
    assert find_photos(["a.jpg", "sub"], album / "out") == expected


def test_patterns_are_met_by_files_and_folders(album):
    assert names(find_photos([f"{album}/*.jpg"], album / "out")) == ["a"]
    assert names(find_photos([f"{album}/**/*.jpg"], album / "elsewhere")) == ["a", "out/e", "sub/a"]
    assert names(find_photos([f"{album}/s*"], album / "out")) == ["a", "deep/c"]


def test_a_file_that_is_named_is_taken_whatever_it_is_called(album):
    assert names(find_photos([str(album / "notes.txt"), str(album / ".hidden.jpg")], album / "out")) == [
        ".hidden",
        "notes",
    ]
    weird = album / "a[1].jpg"
    weird.write_bytes(b"")
    assert names(find_photos([str(weird)], album / "out")) == ["a[1]"]


def test_same_names_of_several_folders_or_endings_stay_apart(tmp_path):
    for name in ("x/1.jpg", "y/1.jpg", "y/1.png", "y/1.JPEG"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    found = names(find_photos([str(tmp_path / "x"), str(tmp_path / "y")], tmp_path / "out"))
    assert sorted(found) == ["x/1", "y/1", "y/1.jpg", "y/1.png"] and len({name.casefold() for name in found}) == 4
    assert names(find_photos([str(tmp_path / "x/1.jpg"), str(tmp_path / "y/1.jpg")], tmp_path / "out")) == [
        "x/1",
        "y/1",
    ]


def test_a_photo_that_is_met_twice_counts_once(album):
    os.symlink(album / "a.jpg", album / "z.jpg")
    assert names(find_photos([str(album / "a.jpg"), str(album / "z.jpg"), str(album / "a.jpg")], album / "out")) == [
        "a"
    ]


def test_ways_through_other_folders_lead_nowhere_else(album, monkeypatch):
    monkeypatch.chdir(album / "sub")
    found = find_photos(["../a.jpg", "deep", "../sub/*.jpg"], album / "out")
    assert names(found) == ["a", "sub/a", "sub/deep/c"] and found.root == album


def test_long_names_are_cut_and_stay_apart(tmp_path):
    for end in "ab":
        (tmp_path / f"{'写' * 80}{end}.jpg").write_bytes(b"")
    one, other = names(find_photos([str(tmp_path)], tmp_path / "out"))
    assert one != other and len(one.encode()) <= 200 and one.startswith("写" * 60) and one[-9] == "~"


def test_what_is_not_there_is_named(album, tmp_path):
    with pytest.raises(ParamsError, match=r"nowhere\.jpg: no such file or folder"):
        find_photos([str(album), "nowhere.jpg"], album / "out")
    with pytest.raises(ParamsError, match=r"\*\.gif: no file or folder meets this pattern"):
        find_photos([f"{album}/*.gif"], album / "out")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/readme.md").write_bytes(b"")
    with pytest.raises(ParamsError, match=r"empty: no photos there; 1 files have other endings than \.jpg"):
        find_photos([str(tmp_path / "empty")], album / "out")
