"""The whole graph by DVC, on a tiny configuration in a temporary clone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("repro")]

ROOT = Path(__file__).resolve().parents[2]
DATA_STAGES = ("download", "teacher_download", "ingest", "teacher_ingest", "crop", "edges", "pose", "heatmaps", "shard")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tracked files of this project in a git repository of their own, with tiny parameters."""
    folder = tmp_path_factory.mktemp("clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if name == "dvc.lock" or not (ROOT / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    params["datasets"]["lip"]["images"] = {"train": 12, "val": 6}
    params["datasets"]["cihp"]["images"] = {"train": 4, "val": 2}
    params["teacher_datasets"]["coco"]["images"] = {"train": 2, "val": 6}
    params["shards"] = {"records_per_shard": 4, "row_group": 2}
    params["pose"]["judge"] = 4
    params["train"].update(input_size=[64, 48], channels=16, epochs=1, batch_size=4, warmup_steps=0)
    params["executor"]["workers"] = 1
    yaml.dump(params, folder / "params.yaml")
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-q", "-m", "clone")
    return folder


def run(folder: Path, *command: str) -> str:
    """A command's output, with this interpreter's scripts first on the path; its own output on failure."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "1",
        "PYTHONPATH": str(folder),
    }
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def data_hashes(folder: Path) -> dict[str, str]:
    """Output path -> hash in dvc.lock, of the data stages."""
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    return {
        out["path"]: out["md5"]
        for name, stage in stages.items()
        if name.split("@")[0] in DATA_STAGES
        for out in stage["outs"]
    }


@pytest.fixture(scope="module")
def first_run(project: Path) -> str:
    return run(project, "dvc", "repro")


def test_every_stage_runs_and_ends_with_an_evaluation(project: Path, first_run: str) -> None:
    assert "mean iou" in first_run
    for made in (
        "models/parser.pt",
        "metrics/evaluate.json",
        "report/index.html",
        "data/shards/cihp/val/manifest.json",
    ):
        assert (project / made).is_file(), made


def test_second_run_does_nothing(project: Path, first_run: str) -> None:
    again = run(project, "dvc", "repro")
    assert "Running stage" not in again
    assert "up to date" in again


def test_stages_by_hand_from_nothing_give_the_same_bytes_with_other_workers(project: Path, first_run: str) -> None:
    before = data_hashes(project)
    assert len(before) >= 2 * 2 * 7
    shutil.rmtree(project / "data" / "scratch")
    for stage in ("download", "ingest", "crop", "edges", "pose", "heatmaps", "shard"):
        for dataset in ("lip", "cihp"):
            shutil.rmtree(project / "data" / ("shards" if stage == "shard" else FOLDERS.get(stage, stage)) / dataset)
            run(project, "hpp", "--set", "executor.workers=2", stage, dataset)
    assert "Data and pipelines are up to date" in run(project, "dvc", "status")


FOLDERS = {"download": "raw", "crop": "crops"}


def test_another_sigma_reruns_heatmaps_and_what_follows_alone(project: Path, first_run: str) -> None:
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    params["heatmaps"]["sigma"] = 3.0
    yaml.dump(params, project / "params.yaml")
    changed = {line.split(":")[0] for line in run(project, "dvc", "status").splitlines() if line[:1].strip()}
    would = run(project, "dvc", "repro", "--dry")
    rerun = {part.split("'")[1].split("@")[0] for part in would.splitlines() if part.startswith("Running stage")}
    assert {"heatmaps@lip", "heatmaps@cihp", "train"} <= changed
    assert not {"download", "ingest", "crop", "edges", "pose", "fit_detector", "fit_pose"} & rerun
    assert "heatmaps" in rerun
