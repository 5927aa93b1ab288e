"""Training: repeatable, resumable, refuses to go on with a loss that is no number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import DataError, ParamsError
from pipeline.params import Train
from tests.trainer.builders import make_params, write_toy_set
from trainer import __version__
from trainer.checkpoints import read_model
from trainer.engine import train
from trainer.engine import training as training_module
from trainer.engine.optimizer import learning_rate


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"))


def run(toy: Path, folder: Path, params=None, **callbacks):
    return train(params or make_params(), toy, folder / "parser.pt", folder / "scratch", **callbacks)


def test_training_twice_gives_equal_bytes_and_tells_what_it_does(toy, tmp_path):
    logged, steps = [], []
    last = run(toy, tmp_path / "a", log=lambda *entry: logged.append(entry), progress=lambda *done: steps.append(done))
    run(toy, tmp_path / "b", make_params(loader_workers=2))
    assert (tmp_path / "a" / "parser.pt").read_bytes() == (tmp_path / "b" / "parser.pt").read_bytes()
    assert steps == [(done, 6) for done in range(1, 7)]
    assert {name: value for name, value, epoch in logged if epoch == 2} == last
    assert {"loss", "loss_edge", "lr", "val_mean_iou", "val_pckh_mean"} <= set(last)
    assert not list((tmp_path / "a" / "scratch").iterdir())


def test_another_seed_gives_another_model(toy, tmp_path):
    for seed in (1, 2):
        run(toy, tmp_path / str(seed), make_params(epochs=1).model_copy(update={"seed": seed}))
    assert (tmp_path / "1" / "parser.pt").read_bytes() != (tmp_path / "2" / "parser.pt").read_bytes()


@pytest.mark.parametrize("epochs_done", [2, 3])
def test_resumed_run_equals_an_uninterrupted_one(toy, tmp_path, monkeypatch, epochs_done):
    params = make_params(epochs=3)
    whole_log, resumed_log = [], []
    whole = run(toy, tmp_path / "whole", params, log=lambda *entry: whole_log.append(entry))

    def killed(file, state):
        training_module_save(file, state)
        if state.epoch == epochs_done:
            raise KeyboardInterrupt

    training_module_save = training_module.save_state
    monkeypatch.setattr(training_module, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        run(toy, tmp_path / "killed", params)
    monkeypatch.undo()
    assert not (tmp_path / "killed" / "parser.pt").exists()
    steps = []
    resumed = run(
        toy, tmp_path / "killed", params,
        log=lambda *entry: resumed_log.append(entry), progress=lambda done, total: steps.append(done),
    )  # fmt: skip
    assert steps == list(range(3 * epochs_done + 1, 10))
    assert resumed == whole
    assert resumed_log == whole_log
    assert (tmp_path / "whole" / "parser.pt").read_bytes() == (tmp_path / "killed" / "parser.pt").read_bytes()


def test_other_parameters_do_not_pick_up_the_state(toy, tmp_path, monkeypatch):
    def killed(file, state):
        save(file, state)
        raise KeyboardInterrupt

    save = training_module.save_state
    monkeypatch.setattr(training_module, "save_state", killed)
    with pytest.raises(KeyboardInterrupt):
        run(toy, tmp_path, make_params(lr=0.01))
    monkeypatch.undo()
    steps = []
    run(toy, tmp_path, make_params(lr=0.02), progress=lambda done, total: steps.append(done))
    assert steps[0] == 1


def test_model_file_holds_the_card_and_no_path(toy, tmp_path):
    run(toy, tmp_path, make_params(epochs=1))
    card, _ = read_model(tmp_path / "parser.pt")
    assert card.part_names[13] == "face"
    assert card.keypoint_names[8] == "neck"
    assert (card.input_spec.order, card.input_spec.size) == ("bgr", (48, 32))
    assert card.training["lr"] == 0.01
    assert card.package_version == __version__
    assert str(tmp_path).encode() not in (tmp_path / "parser.pt").read_bytes()


def test_loss_that_is_no_number_stops_the_run(toy, tmp_path):
    params = make_params(optimizer="sgd", lr=1e30, epochs=3)
    with pytest.raises(ParamsError, match=r"train\.lr: the loss is .* in step \d+ at a rate of .*parsing_refined"):
        run(toy, tmp_path, params)
    assert not (tmp_path / "parser.pt").exists()


def test_settings_of_torch_are_put_back(toy, tmp_path):
    threads = torch.get_num_threads()
    run(toy, tmp_path, make_params(epochs=1, threads=threads + 1))
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_wrong_names_are_the_users_to_mend(toy, tmp_path):
    for change, message in (
        ({"model": "unet"}, "train: name: model 'unet' is unknown"),
        ({"backbone": "vgg"}, "train: backbone: 'vgg' is unknown"),
        ({"model": "mula", "channels": 8}, "train: input size: a side of 48 does not fit, it must divide by 64"),
    ):
        with pytest.raises(ParamsError, match=message):
            run(toy, tmp_path, make_params(**change))
    with pytest.raises(DataError, match=r"nowhere.train.manifest\.json: not found"):
        run(toy, tmp_path, make_params(datasets=["nowhere"]))


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_the_loss_falls(toy, tmp_path, precision):
    losses = {}
    run(
        toy, tmp_path, make_params(epochs=6, precision=precision, validate_every=6),
        log=lambda name, value, epoch: losses.__setitem__((name, epoch), value),
    )  # fmt: skip
    assert losses["loss", 6] < 0.6 * losses["loss", 1]
    assert ("val_mean_iou", 5) not in losses
    assert losses["val_mean_iou", 6] > 20


@pytest.mark.parametrize("model", ["hg-2s-1u-mula", "vgg16-fcn-mtl"])
def test_mula_trains_and_answers_without_the_background(toy, tmp_path, model):
    params = make_params(model=model, channels=8, input_size=(64, 64), epochs=1, convention="mula")
    last = run(toy, tmp_path, params)
    assert {"loss_pose", "loss_parsing_refined", "val_mean_iou", "val_pckh_mean"} <= set(last)
    card, _ = read_model(tmp_path / "parser.pt")
    assert card.options == {"channels": 8}
    assert (card.input_spec.order, card.input_spec.mean, card.input_spec.std) == ("bgr", (0.5,) * 3, (1.0,) * 3)


def test_poly_rate_with_warmup():
    settings = Train(
        datasets=("a",), label_set="lip", keypoint_set="lip16", backbone="resnet18_slim", input_size=(8, 8),
        epochs=1, batch_size=2, lr=1.0, warmup_steps=3,
    )  # fmt: skip
    rates = [learning_rate(step, 10, settings) for step in range(10)]
    assert rates[0] == pytest.approx(0.25)
    assert rates[1] == pytest.approx(0.5 * 0.9**0.9)
    assert rates[5] == pytest.approx(0.5**0.9)
    assert rates[9] == pytest.approx(0.1**0.9)
    assert learning_rate(9, 10, settings.model_copy(update={"schedule": "constant"})) == 1
