"""Two of the same command at once: the second is told, and nothing is mixed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from pipeline.datasets.sample.archives import write_archives
from tests.stages.test_check import hpp, write_params


@pytest.fixture
def project(tmp_path):
    write_archives("lip", tmp_path / "data/raw/lip", {"train": 6, "val": 2}, 3)
    return write_params(tmp_path)


def test_the_second_of_two_is_told_who_runs(project):
    locks = project / "data/scratch/locks"
    locks.mkdir(parents=True)
    (locks / "hpp-ingest-lip.pid").write_text("4711")
    with FileLock(locks / "hpp-ingest-lip.lock"):
        result = hpp(project, "ingest", "lip", code=2)
        assert "hpp ingest lip: already running for" in result.stderr and "process 4711" in result.stderr
        assert not (project / "data/ingest").exists()
        hpp(project, "check", "lip")  # another command is free
    hpp(project, "ingest", "lip")
    assert not list(locks.glob("*.pid"))


def test_further_processes_of_one_run_do_not_ask(project, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    locks = project / "data/scratch/locks"
    locks.mkdir(parents=True)
    with FileLock(locks / "hpp-ingest-lip.lock"):
        hpp(project, "ingest", "lip")


def _gone(group, end):
    """Whether no process of the group is left before that time: multiprocessing's own helpers follow a moment later."""
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_sigterm_stops_within_seconds_leaves_whole_outputs_and_no_workers(tmp_path):
    write_archives("lip", tmp_path / "data/raw/lip", {"train": 240, "val": 6}, 3)
    project = write_params(tmp_path)
    command = [
        sys.executable,
        "-c",
        "from stages.cli import main; main()",
        "--params",
        str(project / "params.yaml"),
        "--root",
        str(project),
    ]
    command += ["--set", "executor.workers=2", "ingest", "lip"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    finished = project / "data/scratch/ingest"
    while not list(finished.glob("*.json")):
        assert running.poll() is None
        time.sleep(0.02)
    begun = time.monotonic()
    running.terminate()
    _, told = running.communicate(timeout=30)
    assert time.monotonic() - begun < 5
    assert running.returncode == 128 + signal.SIGTERM
    assert "Stopped by SIGTERM" in told and "Traceback" not in told
    assert _gone(running.pid, begun + 10)
    assert not (project / "data/ingest").exists()
    assert not [path for path in project.rglob(".*") if path.is_file()]
    kept = {file: file.stat().st_mtime_ns for file in finished.glob("*.json")}
    assert kept
    hpp(project, "ingest", "lip")
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    assert (project / "data/ingest/lip/train/manifest.json").is_file()
