"""Training: repeatable, resumable, refuses to go on with a loss that is no number."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.errors import DataError, ParamsError
from tests.trainer.builders import make_params, write_toy_set
from trainer import __version__
from trainer.checkpoints import read_model
from trainer.engine import train


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"))


def run(toy: Path, folder: Path, params=None, **callbacks):
    return train(params or make_params(), toy, folder / "parser.pt", folder / "scratch", **callbacks)


def test_training_twice_gives_equal_bytes_and_tells_what_it_does(toy, tmp_path):
    logged, steps = [], []
    last = run(toy, tmp_path / "a", log=lambda *entry: logged.append(entry), progress=lambda *told: steps.append(told))
    for workers in (1, 2):
        run(toy, tmp_path / f"{workers}", make_params(loader_workers=workers))
        assert (tmp_path / "a" / "parser.pt").read_bytes() == (tmp_path / f"{workers}" / "parser.pt").read_bytes()
    assert [(done, total) for done, total, _ in steps] == [(done, 6) for done in range(1, 7)]
    assert last["loss_edge"] == pytest.approx(sum(losses["loss_edge"] for *_, losses in steps[3:]) / 3)
    assert {name: value for name, value, epoch in logged if epoch == 2} == last
    assert {"loss", "loss_edge", "lr", "val_mean_iou", "val_pckh_mean"} <= set(last)
    assert not list((tmp_path / "a" / "scratch").iterdir())


def test_another_seed_gives_another_model(toy, tmp_path):
    for seed in (1, 2):
        run(toy, tmp_path / str(seed), make_params(epochs=1).model_copy(update={"seed": seed}))
    assert (tmp_path / "1" / "parser.pt").read_bytes() != (tmp_path / "2" / "parser.pt").read_bytes()


def test_model_file_holds_the_card_and_no_path(toy, tmp_path):
    run(toy, tmp_path, make_params(epochs=1))
    card, _ = read_model(tmp_path / "parser.pt")
    assert card.part_names[13] == "face"
    assert card.keypoint_names[8] == "neck"
    assert (card.input_spec.order, card.input_spec.size) == ("bgr", (48, 32))
    assert card.training["lr"] == 0.01
    assert card.package_version == __version__
    assert str(tmp_path).encode() not in (tmp_path / "parser.pt").read_bytes()


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
