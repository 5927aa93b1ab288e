import io
import json
import tarfile

import numpy as np
import pytest

from pipeline.export import webdataset as module
from pipeline.images import decode_map
from tests import builders
from tests.pipeline.export.builders import IDS, exported, ids_by_stem, sample, samples


def first_dot(name):
    """webdataset's rule: what stands before a name's first dot is the key."""
    return name.split(".", 1)


def grouped(path):
    """Samples of a tar by that rule: neighbours of one key belong together, a key that comes again is another sample."""
    found: list[tuple[str, dict[str, bytes]]] = []
    with tarfile.open(path) as archive:
        for member in archive:
            key, ending = first_dot(member.name)
            if not found or found[-1][0] != key:
                found.append((key, {}))
            assert ending not in found[-1][1]
            found[-1][1][ending] = archive.extractfile(member).read()
    return found


@pytest.mark.parametrize("split", IDS)
def test_every_sample_comes_out_with_all_its_labels(tmp_path, split):
    content = samples()
    out = exported(tmp_path, "webdataset", content)
    wanted = {one.sample_id: one for one in content[split]}
    found = grouped(out / f"{split}-000000.tar")
    assert [key for key, _ in found] == sorted(key for key, _ in found) and len(found) == len(wanted)
    for key, files in found:
        one = wanted.pop(ids_by_stem(out)[key])
        assert sorted(files) == ["edge.png", "jpg", "json", "mask.png"] and files["jpg"] == one.image
        assert np.array_equal(decode_map(files["mask.png"], key), one.decode_mask())
        assert np.array_equal(decode_map(files["edge.png"], key), one.decode_edge())
        about = json.loads(files["json"])
        assert about["sample_id"] == one.sample_id and about["split"] == split
        assert np.array_equal(np.array(about["keypoints"], np.float32), one.keypoints)
        assert about["keypoint_names"][9] == "head-top" and about["keypoint_origin"][0] == "annotated"
        assert about["box"] == [0, 0, one.width, one.height] and about["to_source"] == [[1, 0, 0], [0, 1, 0]]


def test_bytes_hold_no_date_and_no_owner(tmp_path):
    out = exported(tmp_path, "webdataset", samples())
    with tarfile.open(out / "train-000000.tar") as archive:
        members = archive.getmembers()
    assert len(members) == 16
    for member in members:
        assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
        assert member.isreg() and member.mode == 0o644


def test_names_that_differ_behind_a_dot_stay_apart(tmp_path):
    names = ["IMG_01.crop2", "IMG_01.crop3", "IMG_01", "__a__", "写真.1"]
    out = exported(tmp_path, "webdataset", {"train": [sample(name, seed) for seed, name in enumerate(names)]})
    found = grouped(out / "train-000000.tar")
    assert sorted(json.loads(files["json"])["sample_id"] for _, files in found) == sorted(names)


def test_a_tar_is_closed_when_it_is_full(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_SAMPLES", 2)
    out = exported(tmp_path, "webdataset", {"train": [sample(f"{7 - seed}", seed) for seed in range(5)]})
    assert [len(grouped(out / f"train-{number:06d}.tar")) for number in range(3)] == [2, 2, 1]
    tars = json.loads((out / "export.json").read_text())["tars"]["train"]
    assert [one["samples"] for one in tars] == [2, 2, 1] and tars[2]["name"] == "train-000002.tar"
    monkeypatch.setattr(module, "_MOST_BYTES", 1)
    content = {"train": [sample(f"{seed}", seed) for seed in range(3)]}
    assert len(list(exported(tmp_path / "b", "webdataset", content).glob("*.tar"))) == 3


def test_webdataset_reads_the_tars(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    content = samples(people_map=builders.png(np.ones((24, 20))))
    out = exported(tmp_path, "webdataset", content)
    dataset = webdataset.WebDataset(str(out / "train-{000000..000000}.tar"), shardshuffle=False).decode("rgb8")
    wanted = {one.sample_id: one for one in content["train"]}
    for found in dataset:
        one = wanted.pop(found["json"]["sample_id"])
        assert ids_by_stem(out)[found["__key__"]] == one.sample_id
        assert found["jpg"].shape == (one.height, one.width, 3)
        assert np.abs(found["jpg"].astype(int) - one.decode_image()).mean() < 2
        # "rgb8" gives maps three equal channels.
        assert np.array_equal(found["mask.png"][..., 0], one.decode_mask())
        assert np.array_equal(found["edge.png"][..., 0], one.decode_edge())
        assert (found["people.png"] == 1).all()
    assert wanted == {}
    raw = list(webdataset.WebDataset(str(out / "val-000000.tar"), shardshuffle=False))
    assert len(raw) == 2 and all(decode_map(io.BytesIO(one["mask.png"]).read(), "x").any() for one in raw)
