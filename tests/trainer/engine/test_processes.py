"""Two processes, or two parts, are one batch: the same samples, losses, weights and metrics."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.errors import ParamsError
from tests.trainer.builders import make_params, write_toy_set
from tests.trainer.engine.children import free_port, scores_of, start, train_as_rank
from trainer.checkpoints import read_model
from trainer.engine import train
from trainer.engine.learner import Learner

EPOCHS, SAMPLES = 3, 10


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"), train=SAMPLES, val=5)


def params_of(**settings):
    """Without dropout, whose numbers are each process's own, and with norms that learn from no part by itself."""
    return make_params(
        epochs=EPOCHS, variant="paper", freeze_norm=True, optimizer="sgd", lr=0.02, clip_norm=5.0, ema=0.5, **settings
    )


def alone(toy: Path, folder: Path, **settings):
    """A run of this process: its log, and the model file."""
    logged: list = []
    train(
        params_of(**settings), toy, folder / "parser.pt", folder / "scratch", lambda *entry: logged.append(list(entry))
    )
    return logged, folder / "parser.pt"


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    return alone(toy, tmp_path_factory.mktemp("whole"))


def assert_equal_runs(logged, model_file: Path, whole) -> None:
    expected, expected_file = whole
    assert [(name, epoch) for name, _, epoch in logged] == [(name, epoch) for name, _, epoch in expected]
    for (name, value, epoch), (_, wanted, _) in zip(logged, expected, strict=True):
        assert value == pytest.approx(wanted, rel=1e-4, abs=1e-4), f"{name} of epoch {epoch}"
    weights, wanted = read_model(model_file)[1], read_model(expected_file)[1]
    assert max(float((weights[name] - wanted[name]).abs().max()) for name in wanted) < 1e-4


def test_two_parts_equal_the_whole_batch(toy, tmp_path, whole):
    logged, file = alone(toy, tmp_path, accumulate=2)
    assert_equal_runs(logged, file, whole)


def test_two_processes_equal_one_with_the_double_batch(toy, tmp_path, whole):
    port = free_port()
    processes = [start(train_as_rank, rank, 2, port, params_of(), toy, tmp_path, whole[1]) for rank in range(2)]
    for process in processes:
        process.join(180)
        assert process.exitcode == 0
    first, second = (json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(2))
    assert_equal_runs(first["logged"], tmp_path / "parser.pt", whole)
    assert second["logged"] == []  # told once
    assert second["last"] == first["last"]

    for epoch in range(EPOCHS):
        shares = [[index for when, index in rank["seen"] if when == epoch] for rank in (first, second)]
        assert sorted(shares[0] + shares[1]) == list(range(SAMPLES))
        assert [len(share) for share in shares] == [6, 4]  # batches of 4, 3 and 3

    expected = scores_of(whole[1], params_of(), toy)
    assert "val_pckh_mean" in expected
    assert first["scores"] == second["scores"] == expected


def test_the_losses_of_parts_by_themselves_would_differ(toy, tmp_path, whole, monkeypatch):
    """The counts of the whole batch are what makes the runs equal: their parts differ in valid pixels, edges and joints."""
    monkeypatch.setattr(Learner, "_whole", lambda self, counts: type(counts[0])(*(2 * count for count in counts[0])))
    logged, _ = alone(toy, tmp_path, accumulate=2)
    differs = {
        name
        for (name, value, _), (_, wanted, _) in zip(logged, whole[0], strict=True)
        if abs(value - wanted) > 1e-3 * abs(wanted)
    }
    assert {"loss_parsing_refined", "loss_parsing_coarse", "loss_edge", "loss_pose"} <= differs


def test_norms_that_learn_need_two_samples_in_every_part(toy, tmp_path):
    message = (
        r"train\.batch_size: 4 out of 10 samples, shared by 1 processes and cut into 2 parts each, leave a part of 1 "
    )
    with pytest.raises(ParamsError, match=message):
        train(make_params(accumulate=2), toy, tmp_path / "parser.pt", tmp_path / "scratch")
