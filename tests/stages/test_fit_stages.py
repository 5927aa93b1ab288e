"""`hpp fit-detector` and `hpp fit-pose` with `weights: fit` on drawn sets: repeatable, from a file, on any set, or one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from pipeline.teacher_file import read_teacher
from stages.cli import main
from stages.teacher import start_file

ROOT = Path(__file__).resolve().parents[2]
FIT = {"steps": 3, "batch_size": 2, "warmup_steps": 1, "precision": "32-true"}


def hpp(root: Path, *arguments: str, **overrides: object) -> Result:
    options = [f"--set={key.replace('__', '.')}={json.dumps(value)}" for key, value in overrides.items()]
    return CliRunner().invoke(main, ["--params", str(root / "params.yaml"), "--root", str(root), *options, *arguments])


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with params.yaml and small drawn sets of COCO, CIHP and LIP people, ingested."""
    root = tmp_path_factory.mktemp("ingested")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["executor"] = {"workers": 1}
    for group, name in (("teacher_datasets", "coco"), ("datasets", "cihp"), ("datasets", "lip")):
        params[group][name]["images"] = {"train": 4, "val": 2}
    for key in ("detector", "pose"):
        params[key]["weights"] = "fit"
        params[key]["fit"].update(FIT)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    for name in ("coco", "cihp", "lip"):
        for stage in ("download", "ingest"):
            result = hpp(root, stage, name)
            assert result.exit_code == 0, result.output
    return root


@pytest.fixture
def root(ingested: Path, tmp_path: Path) -> Path:
    """Its own models/ and scratch folder, the same records."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ingest").symlink_to(ingested / "data" / "ingest")
    shutil.copy(ingested / "params.yaml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("key", ["detector", "pose"])
def test_fitted_twice_the_weights_are_the_same(key: str, root: Path) -> None:
    model = root / "models" / f"{key}.safetensors"
    found = []
    for workers in (0, 2):
        result = hpp(root, f"fit-{key}", executor__loader_workers=workers)
        assert result.exit_code == 0, result.output
        found.append(model.read_bytes())
        model.unlink()
        metrics = json.loads((root / "metrics" / f"fit_{key}.json").read_text())
        assert {"mask_ap75", "box_ap", "mask_ap_large"} <= set(metrics["val"]) or "oks_ap75" in metrics["val"]
    assert found[0] == found[1]
    assert list((root / "data" / "scratch").glob("*.pt")) == []
    other = hpp(root, f"fit-{key}", seed=2)
    assert other.exit_code == 0 and model.read_bytes() != found[0]


def test_a_detector_goes_on_from_a_file_with_the_people_of_another_set(root: Path) -> None:
    sample = ROOT / "presets" / "teachers" / "detector.safetensors"
    result = hpp(
        root, "fit-detector", detector__fit__dataset="cihp", detector__fit__start=str(sample), detector__fit__lr=1e-9
    )
    assert result.exit_code == 0, result.output
    before, after = (
        read_teacher(file, "mask_rcnn_basic") for file in (sample, root / "models" / "detector.safetensors")
    )
    name = "backbone.body.conv1.weight"
    assert abs(before.tensors[name] - after.tensors[name]).max() < 1e-3
    assert before.teacher_id != after.teacher_id  # its norms have seen other people
    assert "on held-out cihp" in result.output


def test_a_pose_network_has_the_joints_of_its_set(root: Path) -> None:
    result = hpp(root, "fit-pose", pose__fit__dataset="lip")
    assert result.exit_code == 0, result.output
    teacher = read_teacher(root / "models" / "pose.safetensors", "simple_baseline_basic")
    assert teacher.options["keypoint_set"] == "lip16"
    assert teacher.tensors["head.weight"].shape[0] == 16


def test_weights_of_others_become_a_teacher_s_file_once_found(tmp_path: Path) -> None:
    def find(key: str, start: str) -> Path:
        assert (key, start) == ("pose.fit.start", "coco")
        return tmp_path / "weights.pth"

    def convert(source: Path, target: Path) -> None:
        target.write_text(source.name)

    start = start_file("pose", "coco", tmp_path, find, convert)
    assert start is not None and start.suffix == ".safetensors" and start.read_text() == "weights.pth"
    assert (
        start_file("pose", "coco", tmp_path, lambda *_: tmp_path / "a.safetensors", convert)
        == tmp_path / "a.safetensors"
    )
    assert start_file("pose", "random", tmp_path, find, convert) is None


@pytest.mark.parametrize(
    "command, overrides, message",
    [
        ("fit-detector", {"detector__fit__dataset": "nope"}, "detector.fit.dataset: 'nope' is not in params.yaml; it has cihp, coco, lip"),
        ("fit-pose", {"pose__fit__dataset": "nope"}, "pose.fit.dataset: 'nope' is not in params.yaml; it has cihp, coco, lip"),
        ("fit-detector", {"teacher_datasets__coco__splits": ["train"]}, "teacher_datasets.coco.splits lacks val"),
        ("fit-detector", {"detector__fit__dataset": "lip"}, "data/ingest/lip/train: none of its 4 people has a mask of their own"),
        ("fit-pose", {"pose__fit__dataset": "cihp"}, "data/ingest/cihp/train: nobody in its 4 images has annotated joints"),
        ("fit-pose", {"pose__fit__dataset": "lip", "pose__fit__start": str(ROOT / "presets/teachers/pose.safetensors")}, "has the joints of lip16, "),
        ("fit-detector", {"detector__fit__start": "gone.safetensors"}, "detector.fit.start: no file gone.safetensors"),
        ("fit-detector", {"detector__fit__start": "coco"}, "detector.fit.start: coco, but none are published for mask_rcnn_basic"),
        ("fit-detector", {"detector__fit__start": str(ROOT / "presets/teachers/pose.safetensors")}, "holds the weights of 'simple_baseline_basic', expected 'mask_rcnn_basic'"),
        ("fit-pose", {"pose__fit__steps": 0}, "pose.fit.steps: Input should be greater than or equal to 1; found 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_told_in_one_line(command: str, overrides: dict, message: str, root: Path) -> None:
    result = hpp(root, command, **overrides)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not (root / "models").exists() or list((root / "models").iterdir()) == []
