"""What every layout keeps to: whole or not at all, equal bytes, no two samples in one file, a manifest."""

import csv
import hashlib
import json
from dataclasses import replace

import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.export import FORMATS, export
from pipeline.shards.manifest import MANIFEST_NAME, sha256_of
from tests.pipeline.export.builders import IDS, exported, sample, samples, shards


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("form", FORMATS)
def test_export_json_and_samples_csv_tell_what_is_there(tmp_path, form):
    out = exported(tmp_path, form, samples())
    about = json.loads((out / "export.json").read_text())
    assert (about["format"], about["format_version"], about["dataset"]) == (form, 1, "toy")
    assert about["label_set"]["name"] == "lip" and about["label_set"]["part_names"][13] == "face"
    assert about["label_set"]["flip_pairs"] == [[14, 15], [16, 17], [18, 19]]
    assert about["keypoint_set"]["name"] == "lip16" and about["keypoint_set"]["origins"] == {"annotated": 6 * 6}
    assert about["splits"] == {
        split: {
            "samples": len(names),
            "manifest_sha256": sha256_of(tmp_path / "shards" / split / MANIFEST_NAME),
        }
        for split, names in IDS.items()
    }
    with (out / "samples.csv").open(encoding="utf-8", newline="") as table:
        rows = [(row["split"], row["sample_id"]) for row in csv.DictReader(table)]
    assert rows == [(split, name) for split, names in IDS.items() for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["shards", out.name])


@pytest.mark.parametrize("form", FORMATS)
def test_equal_samples_give_equal_bytes(tmp_path, form):
    content = shards(tmp_path / "shards", samples())
    found = []
    for _ in range(2):
        out = tmp_path / "out"
        told = []
        export(content, form, out, told.append)
        found.append(digests(out))
        assert sum(told) == 6
        out.rename(tmp_path / f"kept{len(found)}")
    assert found[0] == found[1] and len(found[0]) > 3


@pytest.mark.parametrize("form", FORMATS)
def test_two_samples_never_share_a_file(tmp_path, form):
    # One id in both splits, ids that differ in case, in a dot and its escape, in a slash and its escape.
    names = {"train": ["a.b", "a%2Eb", "A.b", "a/b", "a b"], "val": ["a.b", "a%20b", "a%2Fb"]}
    content = {
        split: [sample(name, seed + 5 * (split == "val"), split) for seed, name in enumerate(found)]
        for split, found in names.items()
    }
    out = exported(tmp_path, form, content)
    with (out / "samples.csv").open(encoding="utf-8", newline="") as table:
        stems = [row["file"] for row in csv.DictReader(table)]
    assert len({stem.casefold() for stem in stems}) == 8
    if form != "webdataset":
        images = {hashlib.sha256(one.image).hexdigest() for found in content.values() for one in found}
        assert images <= set(digests(out).values())


@pytest.mark.parametrize("form", FORMATS)
def test_a_broken_sample_leaves_nothing(tmp_path, form):
    content = samples()
    content["val"][1] = replace(content["val"][1], mask=b"\x89PNG\r\n\x1a\n broken", image=b"no image")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"b\.jpg\.c"):
        export(shards(tmp_path / "shards", content), form, tmp_path / "out", lambda more: None)
    assert sorted(tmp_path.iterdir()) == [*before, tmp_path / "shards"]


def test_a_folder_in_use_is_refused_and_an_empty_one_is_taken(tmp_path):
    content = shards(tmp_path / "shards", samples())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    for out in ("out", "file"):
        with pytest.raises(ParamsError, match=f"--out .*{out}: is there already and not empty"):
            export(content, "schp", tmp_path / out, lambda more: None)
    assert (tmp_path / "out" / "mine.txt").read_text() == "x"
    (tmp_path / "empty").mkdir()
    export(content, "schp", tmp_path / "empty", lambda more: None)
    export(content, "schp", tmp_path / "deep" / "er", lambda more: None)
    assert (tmp_path / "empty/export.json").is_file() and (tmp_path / "deep/er/export.json").is_file()


def test_nothing_to_export_is_told(tmp_path):
    with pytest.raises(DataError, match="no samples to export"):
        export(shards(tmp_path / "shards", {"train": []}), "coco", tmp_path / "out", lambda more: None)


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_split_beside_others_is_kept(tmp_path, form):
    out = exported(tmp_path, form, {**samples(), "test": []})
    assert json.loads((out / "export.json").read_text())["splits"]["test"]["samples"] == 0
