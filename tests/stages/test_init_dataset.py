import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.params import load_params
from pipeline.taxonomy import KEYPOINT_SETS
from stages.cli import main
from tests import builders

ROOT = Path(__file__).parents[2]
MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 3


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project's folder with params.yaml, and beside it a folder of photos with masks."""
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    shutil.copy(ROOT / "params.yaml", project)
    monkeypatch.chdir(project)
    for number in range(3):
        for kind, name, data in (("images", "jpg", builders.jpeg(seed=number)), ("masks", "png", builders.png(MASK))):
            path = tmp_path / "My photos" / kind / f"{number}.{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return project


def run(*arguments):
    return CliRunner().invoke(main, ["--no-progress", *map(str, arguments)])


def test_own_photos_get_an_entry_and_a_label_set(project):
    before = Path("params.yaml").read_text()
    done = run("init-dataset", "../My photos")
    assert done.exit_code == 0, done.output
    section = load_params(Path("params.yaml")).dataset("My-photos")
    assert section.source == str(project.parent / "My photos") and section.layout == "folder"
    assert section.parts.part_names == ("background", "class-1", "class-2") and section.parts.name == "My-photos"
    lines = done.stdout.splitlines()
    assert lines[0].startswith("found: 3 photos") and lines[-1] == "next: dvc repro shard@My-photos"
    assert "wrote: datasets.My-photos in params.yaml" in lines and "wrote: data/label_sets/My-photos.yaml" in lines
    after = Path("params.yaml").read_text().splitlines()
    assert next(line for line in after if line not in before.splitlines()) == "  My-photos:"
    assert run("-q", "download", "My-photos").exit_code == 0 and run("-q", "ingest", "My-photos").exit_code == 0
    metrics = json.loads(Path("metrics/ingest/My-photos.json").read_text())
    assert metrics["train"]["images"] + metrics["val"]["images"] == 3


def test_a_source_inside_the_project_is_written_from_there(project):
    shutil.move(project.parent / "My photos", project / "photos")
    assert run("init-dataset", project / "photos", "--name", "shop").exit_code == 0
    assert load_params(Path("params.yaml")).dataset("shop").source == "photos"


def test_people_and_joints_are_written_for_a_coco_json(project):
    names = [name.replace("-", "_") for name in KEYPOINT_SETS["coco17"].keypoint_names]
    table = builders.coco_content(
        {"0.jpg": (12, 8), "1.jpg": (12, 8)}, [{"image_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}] * 2
    )
    table["categories"] = [{"id": 1, "name": "person", "keypoints": names}]
    folder = project.parent / "My photos"
    shutil.rmtree(folder / "masks")
    (folder / "people.json").write_text(json.dumps(table))
    done = run("init-dataset", folder / "people.json", "--name", "shop")
    assert done.exit_code == 0, done.output
    section = load_params(Path("params.yaml")).dataset("shop")
    assert (section.people, section.label_set, section.keypoint_set) == ("many", "person", "coco17")
    assert section.annotations == {"train": "people.json", "val": "people.json"}
    assert "hint: detector.backend: annotated" in done.stdout and not Path("data/label_sets/shop.yaml").exists()
    table["categories"][0]["keypoints"] = ["nose", "tail"]
    (folder / "people.json").write_text(json.dumps(table))
    assert run("init-dataset", folder, "--name", "cats").exit_code == 0
    section = load_params(Path("params.yaml")).dataset("cats")
    assert section.keypoint_set == "data/label_sets/cats-joints.yaml" and section.keypoints.keypoint_names == (
        "nose",
        "tail",
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["../My photos", "--name", "cihp"], "--name: 'cihp' is the name of a built-in label set"),
        (["../My photos", "--name", "a.b"], "--name: 'a.b', expected letters, digits"),
        (["../nowhere"], "no such file or folder"),
        (["../My photos/masks"], "no folder images/"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_written(project, arguments, message):
    before = Path("params.yaml").read_bytes()
    done = run("init-dataset", *arguments)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert Path("params.yaml").read_bytes() == before and not Path("data/label_sets").exists()


def test_a_name_that_is_taken_is_refused(project):
    assert run("init-dataset", "../My photos", "--name", "shop").exit_code == 0
    before = Path("params.yaml").read_bytes(), Path("data/label_sets/shop.yaml").read_bytes()
    Path("data/label_sets/shop.yaml").write_text("names: [background, mine]\n")
    again = run("init-dataset", "../My photos", "--name", "shop")
    assert again.exit_code == 2 and "data/label_sets/shop.yaml: is there already" in again.stderr
    os.remove("data/label_sets/shop.yaml")
    Path("params.yaml").write_bytes(before[0].replace(b"data/label_sets/shop.yaml", b"lip"))
    again = run("init-dataset", "../My photos", "--name", "shop")
    assert again.exit_code == 2 and "datasets.shop is there already" in again.stderr
    assert not Path("data/label_sets/shop.yaml").exists()


def test_a_run_that_was_stopped_before_its_entry_is_run_again(project):
    params = Path("params.yaml").read_bytes()
    assert run("init-dataset", "../My photos", "--name", "shop").exit_code == 0
    written = Path("params.yaml").read_bytes()
    Path("params.yaml").write_bytes(params)  # as a run leaves it that has only written the label set
    assert run("init-dataset", "../My photos", "--name", "shop").exit_code == 0
    assert Path("params.yaml").read_bytes() == written


def test_a_folder_whose_name_is_no_name_needs_one(project):
    (project.parent / "My photos").rename(project.parent / "写真")
    done = run("init-dataset", "../写真")
    assert done.exit_code == 2 and "Give one with --name" in done.stderr
    assert run("init-dataset", "../写真", "--name", "shop").exit_code == 0
