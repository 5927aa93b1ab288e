"""A fit that was stopped goes on to the same weights, whatever stopped it; foreign and damaged checkpoints are left."""

import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.trainer.teachers.conftest import write_scenes
from tests.trainer.teachers.toys import Stop, fitted
from trainer.teachers import loop


@pytest.mark.parametrize("kind", ["detector", "pose"])
def test_a_stopped_fit_goes_on_to_the_same_weights(kind, scenes, tmp_path, monkeypatch):
    whole = fitted(kind, scenes, tmp_path / "whole" / "a", steps=4)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    steps = []

    def stop_at_three(done, total, losses):
        if done == 3:
            raise Stop
        steps.append(done)

    with pytest.raises(Stop):
        fitted(kind, scenes, tmp_path / "cut" / "a", steps=4, progress=stop_at_three)
    assert [path.name for path in (tmp_path / "cut" / "scratch").iterdir()] == [f"fit_{kind}.pt"]
    assert fitted(kind, scenes, tmp_path / "cut" / "a", steps=4, progress=lambda done, *_: steps.append(done)) == whole
    assert steps == [1, 2, 3, 4]
    assert list((tmp_path / "cut" / "scratch").iterdir()) == []


def test_a_checkpoint_of_another_fit_is_not_taken_up(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

    def stop(done, total, losses):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        fitted("pose", scenes, tmp_path / "a", progress=stop)
    steps = []
    fitted("pose", scenes, tmp_path / "a", lr=2e-3, progress=lambda done, *_: steps.append(done))
    assert steps == [1, 2]


def test_a_damaged_checkpoint_is_not_taken_up(scenes, tmp_path, caplog):
    whole = fitted("pose", scenes, tmp_path / "a")
    (tmp_path / "scratch").mkdir(exist_ok=True)
    for content in (b"", b"no checkpoint", pickle.dumps({"step": 1}, protocol=2)):
        (tmp_path / "scratch" / "fit_pose.pt").write_bytes(content)
        assert fitted("pose", scenes, tmp_path / "b") == whole
        assert "damaged" in caplog.text
        caplog.clear()


_FIT = """
import sys
from pathlib import Path
from pipeline.shards.read import open_shards
from tests.trainer.teachers.toys import fitted
from trainer.teachers import loop

loop.CHECKPOINT_SECONDS = 0.0
kind, shards, out, steps = sys.argv[1:]
fitted(kind, open_shards(shards), Path(out), steps=int(steps), progress=lambda done, *_: print(done, flush=True))
"""


@pytest.mark.parametrize("kind", ["detector", "pose"])
def test_a_killed_fit_goes_on_to_the_same_weights(kind, scenes, tmp_path):
    """SIGKILL in another process, at whatever point of a step; this one goes on."""
    shards, steps, cut = write_scenes(tmp_path / "shards", scenes), 16, tmp_path / "cut" / "a"
    command = [sys.executable, "-c", _FIT, kind, str(shards.folder), str(cut), str(steps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) == 4:
                time.sleep(np.random.default_rng().uniform(0, 0.03))
                process.send_signal(signal.SIGKILL)
                break
        last = max([4, *map(int, process.stdout)])
        assert process.wait() == -signal.SIGKILL
    assert last < steps and not cut.exists()
    told = []
    found = fitted(kind, shards, cut, steps=steps, progress=lambda done, *_: told.append(done))
    assert told[0] in (last, last + 1)  # its checkpoint may be a step behind what it told
    assert told[-1] == steps
    assert found == fitted(kind, shards, tmp_path / "whole" / "a", steps=steps)
    assert list((tmp_path / "cut" / "scratch").glob("*.pt")) == []
