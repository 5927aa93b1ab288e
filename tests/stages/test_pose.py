"""`hpp pose` and the weights of `hpp fit-pose`, with a tiny teacher: found, annotated and judged joints, one JSON per split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from pycocotools.coco import COCO

from pipeline.pose.simple_baseline import ARCHITECTURE, PoseOptions, SimpleBaseline
from pipeline.shards import open_shards
from pipeline.teacher_file import InputSpec, write_teacher
from stages.cli import main
from tests import builders
from tests.file_server import FileServer

ROOT = Path(__file__).resolve().parents[2]
OPTIONS = PoseOptions(widths=(8, 16), blocks=(1, 1), deconv_widths=(8,))
PEOPLE = np.zeros((40, 60), np.uint8)
PEOPLE[4:36, 4:24], PEOPLE[6:30, 32:54] = 1, 2
BOXES = ((4, 4, 20, 32), (32, 6, 22, 24))


def joints_in(x: int, y: int, w: int, h: int) -> list[int]:
    """COCO's 17 joints, on the box's diagonal."""
    return [value for step in range(17) for value in (x + 1 + step * w // 18, y + 1 + step * h // 18, 2)]


def polygon(x: int, y: int, w: int, h: int) -> list[list[int]]:
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Sets of one person with LIP's joints, of several without any, of several with COCO's; a teacher of random weights."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    plain = {"sha256": {}, "splits": ["train"]}
    params["datasets"] = {
        "lip": {
            **plain, "source": str(tmp_path / "lip"), "layout": "lip", "people": "single", "label_set": "lip",
            "keypoint_set": "lip16",
        },
        "cihp": {
            **plain, "source": str(tmp_path / "cihp"), "layout": "cihp", "people": "many", "label_set": "cihp",
            "keypoint_set": None,
        },
        "crowd": {
            **plain, "splits": ["val"], "source": str(tmp_path / "coco"), "layout": "coco", "people": "many",
            "label_set": "person", "keypoint_set": "coco17",
        },
    }  # fmt: skip
    params["teacher_datasets"], params["detector"]["backend"] = {}, "annotated"
    params["download"] = {"retries": 0, "allow_http": True, "timeout_s": 5.0}
    params["pose"]["min_confidence"] = 0.0
    params["pose"]["fit"]["dataset"] = "crowd"
    params["executor"] = {"workers": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    mask, image = builders.png(PEOPLE), builders.jpeg(40, 60)
    joints = {joint: (joint + 5, 2 * joint + 2, joint % 2) for joint in range(16)}
    builders.write_lip(tmp_path / "lip", {"1_1": image}, {"1_1": mask}, [builders.pose_row("1_1", joints)])
    builders.write_cihp(tmp_path / "cihp", {"0000001": (image, mask, mask)})
    people = [
        {"bbox": box, "segmentation": polygon(*box), "area": box[2] * box[3], "keypoints": joints_in(*box)}
        for box in BOXES
    ]
    content = builders.coco_content(
        {"1.jpg": (40, 60)}, [{**one, "image_id": 1, "num_keypoints": 17} for one in people]
    )
    content["categories"] = [{"id": 1, "name": "person", "keypoints": [], "skeleton": []}]
    builders.write_coco(tmp_path / "coco", {"1.jpg": image}, content)
    teacher(tmp_path / "models/pose.safetensors")
    return tmp_path


def teacher(file: Path) -> Path:
    torch.manual_seed(0)
    network = SimpleBaseline(OPTIONS)
    torch.nn.init.normal_(network.head.weight, std=0.5)
    write_teacher(file, network, ARCHITECTURE, OPTIONS, InputSpec(size=(32, 24)))
    return file


def hpp(project: Path, *arguments: str, code: int = 0) -> str:
    options = ["--params", str(project / "params.yaml"), "--root", str(project), "--quiet"]
    result = CliRunner().invoke(main, [*options, *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def posed(project: Path, name: str, split: str) -> tuple[dict, COCO, Path]:
    for stage in ("download", "ingest", "crop", "pose"):
        hpp(project, stage, name)
    folder = project / "data/pose" / name / split
    figures = json.loads((project / "metrics/pose" / f"{name}.json").read_text())
    return figures, COCO(str(folder / "keypoints.json")), folder


def test_found_joints_come_with_the_teacher_s_name_and_lie_in_the_source(project):
    figures, coco, folder = posed(project, "cihp", "train")
    assert figures["train"]["people"] == 2 and figures["train"]["joints_per_person"] == 17 and "teacher" not in figures
    rows, crops = list(open_shards(folder)), list(open_shards(project / "data/crops/cihp/train"))
    for row, crop, person in zip(rows, crops, coco.loadAnns(coco.getAnnIds()), strict=True):
        assert set(row["keypoint_origin"]) == {coco.dataset["info"]["joints"]}
        assert person["keypoint_origin"] == ["pseudo"] * 17 and person["num_keypoints"] == 17
        expected = np.array(row["keypoints"])[:, :2] + crop.to_source[:, 2]
        np.testing.assert_allclose(np.array(person["keypoints"]).reshape(17, 3)[:, :2], expected, atol=1e-3)
        assert person["bbox"] == crop.box.tolist()
    assert len(list(folder.iterdir())) == 5  # a shard, the JSON, manifest, rejects, outcomes


def test_annotated_joints_of_one_person_judge_by_pckh(project):
    figures, coco, _ = posed(project, "lip", "train")
    (person,) = coco.loadAnns(coco.getAnnIds())
    assert person["keypoint_origin"] == ["annotated"] * 16
    assert person["keypoints"][:6] == [5, 2, 2, 6, 4, 1]
    judged = figures["teacher"]
    assert judged["split"] == "train" and judged["joints"] == 12 and 0 <= judged["pckh"] <= 100


def test_annotated_joints_of_several_people_judge_by_oks(project):
    figures, coco, _ = posed(project, "crowd", "val")
    people = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert [person["num_keypoints"] for person in people] == [17, 17]
    assert people[1]["keypoints"] == joints_in(*BOXES[1])
    judged = figures["teacher"]
    assert judged["split"] == "val" and judged["people"] == 2 and 0 <= judged["oks_ap"] <= 1


def test_another_flip_or_decoding_gives_other_shards_and_the_same_ones_twice(project):
    def bytes_of(*options: str) -> bytes:
        hpp(project, *options, "pose", "cihp")
        return (project / "data/pose/cihp/train/part-00000.parquet").read_bytes()

    posed(project, "cihp", "train")
    plain = bytes_of()
    assert bytes_of("--set", "pose.flip=false") != plain
    assert bytes_of("--set", "pose.decoding=dark") != plain
    assert bytes_of() == plain


def test_a_teacher_at_an_address_is_fetched_checked_and_judged(project, server: FileServer):
    for stage in ("download", "ingest"):
        hpp(project, stage, "crowd")
    (project / "models/pose.safetensors").unlink()
    data = teacher(project / "other.safetensors").read_bytes()
    address = server.add("own.safetensors", data)
    hpp(project, "--set", f"pose.weights={address}", "fit-pose")
    assert (project / "models/pose.safetensors").read_bytes() == data
    assert json.loads((project / "metrics/fit_pose.json").read_text())["val"]["people"] == 2


def test_weights_that_cannot_be_had_are_told_in_one_line(project):
    for stage in ("download", "ingest"):
        hpp(project, stage, "crowd")
    before = (project / "models/pose.safetensors").read_bytes()
    told = hpp(project, "--set", "pose.weights=coco", "fit-pose", code=2)
    assert "Get pose_resnet_50_256x192.pth.tar" in told and len(told.strip().splitlines()) == 1
    wrong = ("--set", "pose.backend=keypoint_rcnn", "--set", f"pose.weights={project / 'models/pose.safetensors'}")
    told = hpp(project, *wrong, "fit-pose", code=2)
    assert "holds the weights of 'simple_baseline_basic', expected 'keypointrcnn_resnet50_fpn'" in told
    assert (project / "models/pose.safetensors").read_bytes() == before
