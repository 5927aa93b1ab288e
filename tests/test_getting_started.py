"""docs/getting-started.md, followed word for word on a few drawn people; what needs a download is only looked at."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.params.rewrite import parsed, rewritten
from stages.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash( needs downloads)?\n(.*?)```", GUIDE, re.DOTALL)
FEW = {
    "datasets.lip.images": {"train": 6, "val": 3},
    "teacher_datasets.coco.images": {"train": 1, "val": 3},
    "pose.judge": 2,
    "executor.workers": 1,
    "train.input_size": [64, 48],
    "train.channels": 16,
    "train.epochs": 1,
    "train.warmup_steps": 0,
    "train.threads": 1,
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with params.yaml for a handful of small people."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    content = parsed(text, "params.yaml")
    for key, value in FEW.items():
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section[name]
        section[last] = value
    (tmp_path / "params.yaml").write_text(rewritten(text, content, "params.yaml"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_guide_can_be_followed(project):
    told = {}
    for line in [line for marked, block in BLOCKS if not marked for line in block.splitlines()]:
        words = line.split()
        if words[0] == "cp":
            shutil.copy(*words[1:])
            continue
        done = CliRunner().invoke(main, ["--no-progress", *words[1:]], standalone_mode=False)
        assert words[0] == "hpp" and done.exception is None, (line, done.exception, done.output)
        told[line] = done.stdout
    assert (project / "sheet.png").stat().st_size > 1000
    assert "mean iou" in told["hpp results"] and "B - A" in told["hpp compare first.json metrics/evaluate.json"]
    assert re.search(r"6 train images, 3 val images", told["hpp check lip"])


def test_every_command_file_and_marked_line_is_known():
    for marked, block in BLOCKS:
        for line in block.splitlines():
            first, second, *_ = line.split()
            assert first in ("cp", "dvc") or "--set" in line or second in COMMANDS, line
            assert not line.startswith("dvc repro") or marked
    for name in re.findall(r"`((?:docs|presets)/[^`]+)`", GUIDE):
        assert (ROOT / name).is_file(), name
