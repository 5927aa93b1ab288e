"""A run that was killed goes on and ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pytest

from pipeline.errors import DataError
from tests.trainer.builders import make_params, write_toy_set
from tests.trainer.engine.children import Kill, start, train_and_log
from trainer.engine import train
from trainer.engine.resume import Checkpoints, TrainingState


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"), train=12)


def with_checkpoints(params, steps: int):
    return params.model_copy(update={"executor": params.executor.model_copy(update={"checkpoint_steps": steps})})


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 4, "validate_every": 2, "optimizer": "sgd", "momentum": 0.9, "loader_workers": 1, "warmup_steps": 2},
        {
            "epochs": 4,
            "validate_every": 1,
            "ema": 0.9,
            "accumulate": 2,
            "clip_norm": 1.0,
            "publish": "best",
            "optimizer": "rmsprop",
        },
    ],
)
def test_killed_five_times_a_run_ends_with_the_same_bytes(toy, tmp_path, settings):
    """Wherever it is killed: in a step, while it saves, while it validates."""
    params = with_checkpoints(make_params(**settings), 2)
    train_and_log(params, toy, tmp_path / "whole", None)
    draw = random.Random(len(settings))
    for steps in draw.sample([1, 2, 2, 3, 3], 5):  # together fewer than the run has
        child = start(train_and_log, params, toy, tmp_path / "killed", Kill(steps, draw.uniform(0, 0.3)))
        child.join()
        assert child.exitcode == -signal.SIGKILL
        assert not (tmp_path / "killed" / "parser.pt").exists()
    train_and_log(params, toy, tmp_path / "killed", None)
    whole, killed = (json.loads((tmp_path / name / "log.json").read_text()) for name in ("whole", "killed"))
    assert killed["first"] > 1
    assert killed["logged"] == whole["logged"]
    assert (tmp_path / "killed" / "parser.pt").read_bytes() == (tmp_path / "whole" / "parser.pt").read_bytes()
    assert not list((tmp_path / "killed" / "scratch").iterdir())


class Stop(Exception):
    """Stands for the end of a process."""


def stopped_at(step: int):
    def progress(done, total, losses):
        if done == step:
            raise Stop

    return progress


def interrupt(toy: Path, folder: Path, params, step: int) -> Path:
    """A run that ends after a step; its folder of checkpoints."""
    with pytest.raises(Stop):
        train(params, toy, folder / "parser.pt", folder / "scratch", progress=stopped_at(step))
    (found,) = (folder / "scratch").iterdir()
    return found


def resumed_from(toy: Path, folder: Path, params) -> int:
    """Finish a run; the steps that it found done."""
    steps: list[int] = []
    train(params, toy, folder / "parser.pt", folder / "scratch", progress=lambda done, *_: steps.append(done))
    return steps[0] - 1


def test_the_last_states_and_the_best_model_are_kept(toy, tmp_path):
    params = with_checkpoints(make_params(), 1)
    found = interrupt(toy, tmp_path, params, 6)
    assert sorted(file.name for file in found.iterdir()) == ["best.pt", "step-000000004.pt", "step-000000005.pt"]


def test_other_parameters_or_shards_do_not_pick_up_a_state(toy, tmp_path):
    params = with_checkpoints(make_params(), 1)
    interrupt(toy, tmp_path, params, 3)
    other = with_checkpoints(make_params(lr=0.02), 1)
    assert resumed_from(toy, tmp_path, other) == 0
    remade = write_toy_set(tmp_path / "remade", train=11)
    assert resumed_from(remade, tmp_path, params) == 0
    more_often = with_checkpoints(params, 4)
    assert resumed_from(toy, tmp_path, more_often) == 2  # how often it saves changes no result


def test_a_damaged_state_is_passed_over_for_the_one_before(toy, tmp_path, caplog):
    params = with_checkpoints(make_params(epochs=1), 1)
    found = interrupt(toy, tmp_path, params, 3)
    newest, older = found / "step-000000002.pt", found / "step-000000001.pt"
    newest.write_bytes(newest.read_bytes()[:5000])
    assert resumed_from(toy, tmp_path, params) == 1
    assert "step-000000002.pt: not a checkpoint of training" in caplog.text

    interrupt(toy, tmp_path, params, 3)
    for file in (newest, older):
        file.write_bytes(b"no checkpoint")
    with pytest.raises(
        DataError, match=r"step-000000001\.pt: not a checkpoint .* Delete .*train-\w+ to train from the beg"
    ):
        train(params, toy, tmp_path / "parser.pt", tmp_path / "scratch")
    assert newest.exists()


def test_a_state_of_another_model_or_label_set_is_named(toy, tmp_path):
    other = with_checkpoints(make_params(label_set="cihp", label_maps={"lip": {"glove": "ignore"}}, epochs=1), 1)
    theirs = interrupt(toy, tmp_path / "other", other, 2)
    params = with_checkpoints(make_params(epochs=1), 1)
    mine = interrupt(toy, tmp_path / "mine", params, 2)
    name = "step-000000001.pt"
    (mine / name).write_bytes((theirs / name).read_bytes())
    with pytest.raises(
        DataError, match=rf"{name}: a checkpoint of another run: label_set is 'cihp', here 'lip'\. Delete"
    ):
        train(params, toy, tmp_path / "mine" / "parser.pt", tmp_path / "mine" / "scratch")


def test_what_killed_runs_left_half_written_is_removed(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=1)
    (tmp_path / ".step-000000001.pt.4711").write_bytes(b"half")
    for step in (1, 2):
        checkpoints.save(TrainingState("card", step))
    assert [file.name for file in tmp_path.iterdir()] == ["step-000000002.pt"]
