"""The joints of a split as COCO JSON: in the source's pixels, loaded by pycocotools, the same bytes twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from pipeline.geometry.affine import translation
from pipeline.records import Sample
from pipeline.rows import IMAGE_SCHEMA, POSE_SCHEMA, SAMPLE_SCHEMA, image_row, sample_row
from pipeline.shards.write import parquet_bytes
from pipeline.steps.keypoints_json import write_keypoints_json
from pipeline.taxonomy import KEYPOINT_SETS
from tests import builders
from tests.trainer.builders import make_sample

LIP = KEYPOINT_SETS["lip16"]
NAMES = ("a.b_1", "nobody", "zwei Leute")


def person(source: str, number: int, shift: tuple[float, float], box: tuple[float, ...], score: float) -> Sample:
    return replace(
        make_sample(number), sample_id=f"{source}#{number}", source_id=source, to_source=translation(*shift),
        box=np.array(box, np.float32), score=score, person=number,
    )  # fmt: skip


PEOPLE = [
    person("a.b_1", 1, (0, 0), (0, 0, 32, 48), 1.0),
    person("zwei Leute", 1, (30, 7), (31.5, 8.25, 20, 30), 0.75),
    person("zwei Leute", 2, (55, 0), (57, 2, 9, 40), 0.5),
]


def pose_row(sample: Sample, joints: dict[int, tuple[float, float, float]], origin: str) -> dict:
    keypoints = np.zeros((16, 3), np.float32)
    for joint, values in joints.items():
        keypoints[joint] = values
    known = keypoints[:, 2] > 0
    return {
        "sample_id": sample.sample_id,
        "keypoints": keypoints.tolist(),
        "keypoint_origin": [origin if one else "" for one in known],
        "keypoint_confidence": [0.25 if one else 0.125 for one in known],
    }


ROWS = [
    pose_row(PEOPLE[0], {0: (3, 4, 1), 9: (10, 0, 2)}, "annotated"),
    pose_row(PEOPLE[1], {8: (0.25, 1.5, 2)}, "simple_baseline_basic-0123"),
    pose_row(PEOPLE[2], {}, "simple_baseline_basic-0123"),
]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    images = [image_row(builders.record(name, builders.image_pixels(48, 80))) for name in NAMES]
    crops = [sample_row(sample) for sample in PEOPLE]
    for kind, schema, rows, cut in (
        ("ingest", IMAGE_SCHEMA, images, 2),
        ("crops", SAMPLE_SCHEMA, crops, 1),
        ("pose", POSE_SCHEMA, ROWS, 1),
    ):
        shards = [parquet_bytes(part, schema, 2) for part in (rows[:cut], rows[cut:])]
        builders.write_split(tmp_path / kind / "train", shards, [cut, len(rows) - cut])
    ingest, cropped, poses = (tmp_path / kind / "train" for kind in ("ingest", "crops", "pose"))
    return ingest, cropped, poses


def written(folders, file: Path) -> Path:
    write_keypoints_json(file, *folders, LIP, {"dataset": "toy", "split": "train"})
    return file


def test_pycocotools_loads_it(folders, tmp_path, capsys):
    coco = COCO(str(written(folders, tmp_path / "keypoints.json")))
    assert coco.getCatIds(catNms=["person"]) == [1]
    assert [image["sample_id"] for image in coco.loadImgs(coco.getImgIds())] == list(NAMES)
    assert [len(coco.getAnnIds(imgIds=[image])) for image in (1, 2, 3)] == [1, 0, 2]
    category = coco.loadCats([1])[0]
    assert category["keypoints"][0] == "right_ankle" and len(category["keypoints"]) == 16
    assert [LIP.keypoint_names.index("head-top") + 1, LIP.keypoint_names.index("neck") + 1] in category["skeleton"]
    results = coco.loadRes(
        [
            {key: person[key] for key in ("image_id", "category_id", "keypoints", "score")}
            for person in coco.loadAnns(coco.getAnnIds())
        ]
    )
    assert len(results.getAnnIds()) == 3


def test_joints_and_boxes_are_in_the_source_image(folders, tmp_path):
    content = json.loads(written(folders, tmp_path / "keypoints.json").read_text(encoding="utf-8"))
    first, second, third = content["annotations"]
    assert [one["image_id"] for one in (first, second, third)] == [1, 3, 3]
    assert first["keypoints"][:3] == [3, 4, 1] and first["keypoints"][27:30] == [10, 0, 2]
    assert first["keypoints"][3:27] == [0] * 24 and first["num_keypoints"] == 2
    assert second["keypoints"][24:27] == [30.25, 8.5, 2] and second["num_keypoints"] == 1
    assert second["bbox"] == [31.5, 8.25, 20, 30] and second["area"] == 600 and second["score"] == 0.75
    assert third["num_keypoints"] == 0 and third["keypoints"] == [0] * 48
    assert content["images"][0] == {
        "id": 1, "file_name": "toy.zip!/a.b_1.png", "width": 80, "height": 48, "sample_id": "a.b_1",
    }  # fmt: skip
    assert content["info"] == {"dataset": "toy", "split": "train"}


def test_every_joint_says_where_it_comes_from(folders, tmp_path):
    content = json.loads(written(folders, tmp_path / "keypoints.json").read_text(encoding="utf-8"))
    first, second, third = content["annotations"]
    assert [joint for joint, origin in enumerate(first["keypoint_origin"]) if origin == "annotated"] == [0, 9]
    assert [joint for joint, origin in enumerate(second["keypoint_origin"]) if origin == "pseudo"] == [8]
    assert set(third["keypoint_origin"]) == {""}
    assert second["keypoint_confidence"][8] == 0.25 and second["keypoint_confidence"][0] == 0.125
    assert second["sample_id"] == "zwei Leute#1"


def test_equal_shards_give_equal_bytes(folders, tmp_path):
    one, two = (written(folders, tmp_path / name).read_bytes() for name in ("one.json", "two.json"))
    assert one == two and b"zwei Leute" in one and one.endswith(b"]}\n")


def test_a_split_without_anyone_is_valid(tmp_path):
    for kind in ("ingest", "crops", "pose"):
        builders.write_split(tmp_path / kind, [], [])
    folders = tuple(tmp_path / kind for kind in ("ingest", "crops", "pose"))
    coco = COCO(str(written(folders, tmp_path / "keypoints.json")))
    assert coco.getImgIds() == coco.getAnnIds() == []
