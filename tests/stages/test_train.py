"""`hpp train` from the command line: killed and continued, and without the GPU that was asked for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from stages.cli import main
from tests.trainer.builders import make_params, write_toy_set
from tests.trainer.engine.children import hpp, start
from trainer.checkpoints import read_model


def project(root: Path, **settings) -> Path:
    """A project's folder with shards and parameters, in git as the curves' log wants it."""
    write_toy_set(root / "data" / "shards")
    params = make_params(**settings).model_dump(mode="json")
    params["executor"] |= {"checkpoint_steps": 2}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_killed_training_continues_with_the_same_curves_metrics_and_model(tmp_path):
    killed = project(tmp_path / "killed", ema=0.8)
    whole = shutil.copytree(killed, tmp_path / "whole")
    for root, kill_after, code in ((whole, None, 0), (killed, 5, -signal.SIGKILL), (killed, None, 0)):
        child = start(hpp, root, ["--no-progress", "train"], kill_after)
        child.join()
        assert child.exitcode == code
    for place in ("plots/train", "metrics", "models"):
        assert contents(killed / place) == contents(whole / place)
    curve = (whole / "plots" / "train" / "plots" / "metrics" / "loss.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in curve] == ["step", "1", "2"]
    assert json.loads((whole / "metrics" / "train.json").read_text())["epochs"] == 2
    assert not list((killed / "data" / "scratch" / "train").iterdir())


def test_two_devices_from_the_command_line_write_one_model_and_one_curve(tmp_path):
    root = project(tmp_path)
    # The script itself: the other process is started by the same command line.
    call = [str(Path(sys.executable).parent / "hpp"), "--params", "params.yaml", "--no-progress"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
    words = [
        "--set",
        "executor.accelerator=cpu",
        "--set",
        "executor.devices=2",
        "--set",
        "train.freeze_norm=true",
        "train",
    ]
    done = subprocess.run(
        [*call, *words], cwd=root, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert read_model(root / "models/parser.pt")[0].model == make_params().train.model
    curve = (root / "plots" / "train" / "plots" / "metrics" / "loss.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in curve] == ["step", "1", "2"]


@pytest.mark.parametrize("change", ["executor.accelerator=cuda", "train.precision=16-mixed"])
def test_no_gpu_is_one_line(tmp_path, monkeypatch, change):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    root = project(tmp_path)
    told = CliRunner().invoke(
        main, ["--params", str(root / "params.yaml"), "--root", str(root), "--set", change, "train"]
    )
    assert told.exit_code == 2
    (line,) = told.output.splitlines()
    assert line.startswith(f"Error: {change.partition('=')[0]}: ")
    assert not (root / "plots").exists()
