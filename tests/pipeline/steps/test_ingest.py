import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.quality.examine import Rules
from pipeline.rows import image_from_row
from pipeline.shards.step import Finding
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import ingest_shards, ingest_step
from pipeline.taxonomy import KEYPOINT_SETS
from tests import builders

MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 20


def write_set(folder, names, broken=()):
    images = {name: b"" if name in broken else builders.jpeg(seed=seed) for seed, name in enumerate(names)}
    return builders.write_lip(
        folder, images, {name: builders.png(MASK) for name in names}, [builders.pose_row(names[0], {0: (1, 2, 1)})]
    )


def made(folder, names, **options):
    shards = ingest_shards(Archives(write_set(folder, names, **options)), "lip", ["train"], 2)
    step = ingest_step(folder, "toy", "lip", 2)
    return [(shard, step.key(shard), *step.work(shard.inputs)) for shard in shards]


def ids(data):
    return [image_from_row(row).sample_id for row in pq.read_table(io.BytesIO(data)).to_pylist()]


def test_shards_are_cut_in_source_order(tmp_path):
    one, two, three = made(tmp_path, ["c_1", "a.2_2", "b_3", "d_4", "e_5"])
    assert [ids(data) for _, _, data, _ in (one, two, three)] == [["c_1", "a.2_2"], ["b_3", "d_4"], ["e_5"]]
    assert [shard.stem for shard, *_ in (one, two, three)] == ["part-00000", "part-00001", "part-00002"]
    assert one[3].records == 2 and one[3].counts["people"] == 2 and one[3].counts["keypoints"] == 1
    assert one[3].counts["bytes"] == len(builders.jpeg(seed=0)) + len(builders.jpeg(seed=1))


def test_appended_images_change_only_their_own_shards(tmp_path):
    before = made(tmp_path / "before", ["a_1", "b_2", "c_3"])
    after = made(tmp_path / "after", ["a_1", "b_2", "c_3", "d_4", "e_5"])
    assert [key for _, key, *_ in before][:1] == [key for _, key, *_ in after][:1]
    assert before[0][2] == after[0][2] and before[1][1] != after[1][1] and len(after) == 3


def test_another_label_set_or_name_makes_other_shards(tmp_path):
    (shard,) = ingest_shards(Archives(write_set(tmp_path, ["a_1"])), "lip", ["train"], 2)
    keys = {ingest_step(tmp_path, name, labels, 2).key(shard) for name in ("toy", "lip") for labels in ("lip", "cihp")}
    assert len(keys) == 4
    assert ingest_step(tmp_path / "moved", "toy", "lip", 2).key(shard) in keys


def test_a_broken_image_is_rejected_and_the_others_kept(tmp_path):
    ((_, _, data, report),) = made(tmp_path, ["a_1", "b_2"], broken=["a_1"])
    assert ids(data) == ["b_2"] and report.records == 1
    (reject,) = report.rejects
    assert reject.sample_id == "a_1" and reject.reason.startswith("toy/a_1: TrainVal_images.zip!/")
    assert "not a readable JPEG or PNG (0 bytes)" in reject.reason


def test_what_decides_findings_is_in_the_key_and_not_in_the_manifest(tmp_path):
    (shard,) = ingest_shards(Archives(write_set(tmp_path, ["a_1"])), "lip", ["train"], 2)
    plain = ingest_step(tmp_path, "toy", "lip", 2)
    others = [
        ingest_step(tmp_path, "toy", "lip", 2, rules=rules, keypoints=keypoints)
        for rules, keypoints in (
            (Rules(keypoint_tolerance=0.5), None),
            (Rules(small_mask_px=3), None),
            (Rules(rejecting=frozenset()), None),
            (Rules(), KEYPOINT_SETS["lip16"]),
        )
    ]
    assert len({step.key(shard) for step in (plain, *others)}) == 5
    assert all(step.parameters == plain.parameters for step in others)
    assert plain.parameters == {"dataset": "toy", "label_set": "lip", "row_group": 2}


def test_a_contradiction_leaves_its_image_out_unless_it_only_reports(tmp_path):
    rows = [builders.pose_row("a_1", {0: (1, 2, 0), 1: (40, 2, 0)})]
    builders.write_lip(
        tmp_path, {name: builders.jpeg(seed=1) for name in ("a_1", "b_2")},
        {name: builders.png(MASK) for name in ("a_1", "b_2")}, rows,
    )  # fmt: skip
    (shard,) = ingest_shards(Archives(tmp_path), "lip", ["train"], 2)
    names = KEYPOINT_SETS["lip16"]
    data, report = ingest_step(tmp_path, "toy", "lip", 2, keypoints=names).work(shard.inputs)
    assert ids(data) == ["b_2"] and report.records == 1 and report.outcomes == []
    assert report.rejects == [
        Finding("a_1", "toy/a_1: right-knee at (40, 2) outside the image of 8x12", "keypoints_outside_image")
    ]
    step = ingest_step(tmp_path, "toy", "lip", 2, keypoints=names, rules=Rules(rejecting=frozenset()))
    data, kept = step.work(shard.inputs)
    assert ids(data) == ["a_1", "b_2"] and kept.rejects == [] and kept.outcomes == report.rejects
    one, two = kept.marks
    assert (one["sample_id"], two["sample_id"]) == ("a_1", "b_2") and one["pixels"] == two["pixels"]


def test_joints_of_a_source_that_does_not_tell_hidden_ones_may_lie_anywhere(tmp_path):
    mask = np.zeros((40, 30), np.uint8)
    mask[:10, :10] = 5
    joints = [[2, 2], *[[28, 38]] * 3, *[[0, 0]] * 12]
    for name, table in (("csv", None), ("json", [{"im_name": "a_1.jpg", "joints": joints}])):
        rows = [builders.pose_row("a_1", {place: (*joints[place], 0) for place in range(4)})] if table is None else None
        folder = builders.write_lip(
            tmp_path / name, {"a_1": builders.jpeg(40, 30)}, {"a_1": builders.png(mask)}, rows
        )  # fmt: skip
        if table is not None:
            builders.write_zip(folder / "poses.zip", [("LIP_SP_TRAIN_annotations.json", json.dumps(table).encode())])
        (shard,) = ingest_shards(Archives(folder), "lip", ["train"], 2)
        _, report = ingest_step(folder, "toy", "lip", 2, keypoints=KEYPOINT_SETS["lip16"]).work(shard.inputs)
        assert [one.check for one in report.rejects] == ["keypoints_outside_person"] * (name == "csv")
        assert report.counts["keypoints"] == 4 * (name == "json")


def test_archives_that_were_replaced_are_opened_again(tmp_path):
    folder = tmp_path / "raw"
    assert made(folder, ["a_1"])[0][3].records == 1
    folder.rename(tmp_path / "old")
    ((_, _, data, report),) = made(folder, ["z_9"])
    assert ids(data) == ["z_9"] and not report.rejects


def test_a_split_that_the_layout_lacks_is_told(tmp_path):
    with pytest.raises(DataError, match="layout 'coco' has no split 'test'; it has train, val"):
        ingest_shards(Archives(tmp_path), "coco", ["test"], 2)


def test_an_image_that_stands_in_two_splits_is_told(tmp_path):
    members = [(f"images/{name}.jpg", builders.jpeg()) for name in ("a", "b")]
    builders.write_zip(tmp_path / "a.zip", [*members, ("train.txt", b"a\nb"), ("val.txt", b"b")])
    with pytest.raises(DataError, match=r"'b' stands in train and in val\. Take it out of one of them"):
        ingest_shards(Archives(tmp_path), "folder", ["train", "val"], 2)
