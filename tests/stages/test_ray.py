"""The cluster's engine from the command line, as docs/scale.md has it: the same bytes as the local pool's."""

import hashlib
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.datasets.sample.archives import write_archives
from stages.cli import main
from stages.paths import TEACHERS
from tests.stages.test_check import hpp, write_params

ray = pytest.importorskip("ray")


def test_a_stage_on_ray_gives_the_bytes_of_the_local_pool(tmp_path):
    found = []
    try:
        for name, options in (
            ("local", ["executor.workers=2"]),
            ("ray", ["executor.workers=2", "executor.backend=ray"]),
        ):
            folder = tmp_path / name
            write_archives("lip", folder / "data/raw/lip", {"train": 14, "val": 4}, 3)
            project = write_params(folder)
            words = [word for option in options for word in ("--set", option)]
            hpp(project, *words, "ingest", "lip")
            files = sorted((project / "data/ingest").rglob("*.parquet"))
            assert len(files) == 4
            found.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    finally:
        ray.shutdown()
    assert found[0] == found[1]


STAGES = ("check", "ingest", "crop", "edges", "pose", "heatmaps", "shard")


def test_all_data_stages_through_a_storage_give_the_bytes_of_the_local_pool(tmp_path, monkeypatch):
    """Machines that share nothing but a folder which stands for an object store; both teachers at work."""
    found = []
    try:
        for name, options in (
            ("local", []),
            ("ray", ["executor.backend=ray", f"executor.storage=file://{tmp_path}/store", "executor.workers=2"]),
        ):
            folder = tmp_path / name
            write_archives("cihp", folder / "data/raw/cihp", {"train": 2, "val": 1}, 3)
            write_params(folder)
            (folder / "models").mkdir()
            for teacher in ("detector.safetensors", "pose.safetensors"):
                shutil.copyfile(TEACHERS / teacher, folder / "models" / teacher)
            monkeypatch.chdir(folder)
            words = [word for option in ["detector.backend=torchvision", *options] for word in ("--set", option)]
            for stage in STAGES:
                result = CliRunner().invoke(main, ["-q", *words, stage, "cihp"])
                assert result.exit_code == 0, (stage, result.output, result.exception)
            files = [path for path in sorted(Path("data").rglob("*")) if path.is_file()]
            made = [
                file for file in files if file.parts[1] not in ("raw", "scratch") or "scratch/raw" in file.as_posix()
            ]
            found.append({str(file): file.read_bytes() for file in made})
    finally:
        ray.shutdown()
    assert found[0] == found[1]
    for name, count in (("data/shards", 2), ("data/scratch/raw", 4)):  # the teachers' answers, two splits each
        assert len([file for file in found[1] if file.startswith(name) and file.endswith(".parquet")]) == count


def test_with_a_storage_a_command_runs_in_the_projects_folder(tmp_path, monkeypatch):
    write_archives("lip", tmp_path / "data/raw/lip", {"train": 2, "val": 2}, 3)
    storage = ["--set", "executor.backend=ray", "--set", f"executor.storage=file://{tmp_path}/store"]
    result = hpp(write_params(tmp_path), *storage, "ingest", "lip", code=2)
    assert "Error: executor.storage: " in result.stderr and "project's folder, without --root\n" in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "store").exists()
