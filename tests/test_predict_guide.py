"""docs/predict.md, followed word for word: its commands run, and what it says lies in the folders lies there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pipeline.images import encode_jpeg
from pipeline.params import load_params
from stages.cli import main
from tests import builders
from tests.trainer.photos.builders import scene, write_parser

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "predict.md").read_text(encoding="utf-8")
COMMANDS = [line.split("#")[0].strip() for line in GUIDE.splitlines() if line.startswith("hpp ")]
TABLES = re.findall(r"\| file \| content \|\n\|---\|---\|\n((?:\|.*\n)+)", GUIDE)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_parser(tmp_path_factory.mktemp("model") / "parser.pt").read_bytes()


@pytest.fixture
def folder(tmp_path, monkeypatch, model):
    """A project's folder with params.yaml, a model and photos: one person who is found, and noise."""
    for name in ("models", "holiday", "crops", "more/deep"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "models/parser.pt").write_bytes(model)
    (tmp_path / "parser.pt").write_bytes(model)
    (tmp_path / "holiday/beach.jpg").write_bytes(encode_jpeg(scene(3, 1)[0]))
    for name in ("a.jpg", "crops/c.jpg", "more/deep/d.jpg"):
        (tmp_path / name).write_bytes(builders.jpeg(30, 20))
    (tmp_path / "b.png").write_bytes(builders.png(np.zeros((30, 20, 3))))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(table):
    """The first column's paths, <name> and numbers filled in."""
    cells = [row.split("|")[1] for row in table.strip().splitlines()]
    return [path.replace("<name>", "beach") for cell in cells for path in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("command", [one for one in COMMANDS if " train" not in one])
def test_the_commands_of_the_guide_run_and_leave_what_it_says(folder, command):
    program, *arguments = shlex.split(command)
    done = CliRunner().invoke(main, ["--set", "executor.workers=1", *arguments])
    assert program == "hpp" and done.exit_code == 0, (done.output, done.exception)
    if "holiday/" in arguments:
        out, table = Path(arguments[-1]), TABLES[arguments[0] == "label"]
        assert [path for path in files(table) if not (out / path).exists()] == []
        told = {path.rstrip("/").split("/")[0] for path in files(table)}
        assert {path.name for path in out.iterdir()} == told


def test_training_on_labels_is_a_parameter_that_exists():
    (command,) = [one for one in COMMANDS if " train" in one]
    _, option, value, stage = shlex.split(command)
    assert (option, stage) == ("--set", "train")
    assert load_params(ROOT / "params.yaml", (value,)).train.datasets == ("lip", "holiday")


def test_the_python_of_the_guide_runs(folder):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    (folder / "a.jpg").write_bytes((folder / "holiday/beach.jpg").read_bytes())
    (folder / "models/detector.safetensors").write_bytes((ROOT / "presets/teachers/detector.safetensors").read_bytes())
    names: dict = {}
    exec(code, names)
    assert names["person"].mask.shape == (160, 200) and names["person"].keypoints.shape == (16, 3)
