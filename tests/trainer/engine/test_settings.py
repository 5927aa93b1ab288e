"""What single parameters of training do."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch

from tests.trainer.builders import make_params, write_toy_set
from trainer.checkpoints import read_model
from trainer.engine import train
from trainer.engine.learner import Learner
from trainer.engine.training import fresh_network, make_card


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"), train=6, val=2)


def weights_of(toy: Path, folder: Path, params) -> dict[str, torch.Tensor]:
    train(params, toy, folder / "parser.pt", folder / "scratch")
    return read_model(folder / "parser.pt")[1]


def test_best_is_the_epoch_of_the_highest_score(toy, tmp_path, monkeypatch):
    scores = iter([30.0, 50.0, 50.0, 40.0])
    monkeypatch.setattr("trainer.engine.fit.validate", lambda *_: {"val_mean_iou": next(scores)})
    four = make_params(epochs=4, schedule="constant", publish="best")
    logged = train(four, toy, tmp_path / "best.pt", tmp_path / "scratch")
    assert (logged["published_epoch"], logged["val_mean_iou"]) == (2, 50.0)
    monkeypatch.undo()
    two = weights_of(toy, tmp_path, make_params(epochs=2, schedule="constant"))
    best = read_model(tmp_path / "best.pt")[1]
    assert all(torch.equal(best[name], two[name]) for name in two)


def test_frozen_norms_stay_as_they_begin(toy, tmp_path):
    params = make_params(epochs=1, freeze_norm=True)
    begun = fresh_network(make_card(params), params.seed)
    norms = {name for name, module in begun.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    before, after = begun.state_dict(), weights_of(toy, tmp_path, params)
    changed = {name.rpartition(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert norms and changed and not norms & changed


def test_the_moving_average_is_what_is_published(toy, tmp_path, monkeypatch):
    after_steps: list[torch.Tensor] = []
    update = Learner.update

    def update_and_look(self, rate):
        update(self, rate)
        after_steps.append(next(self.network.parameters()).detach().clone())

    monkeypatch.setattr(Learner, "update", update_and_look)
    params = make_params(epochs=2, ema=0.9)
    name, average = next(iter(fresh_network(make_card(params), params.seed).named_parameters()))
    published = weights_of(toy, tmp_path, params)[name]
    assert len(after_steps) == 4
    for step, weights in enumerate(after_steps):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average.detach() + (1 - decay) * weights
    torch.testing.assert_close(published, average)
    assert not torch.allclose(published, after_steps[-1])


def test_gradients_are_clipped_to_the_norm(toy, tmp_path, monkeypatch):
    norms: list[tuple[float, float]] = []
    gradients = Learner.gradients

    def gradients_and_look(self, parts):
        losses, told = gradients(self, parts)
        left = torch.nn.utils.get_total_norm([weight.grad for weight in self.network.parameters()])
        norms.append((told, float(left)))
        return losses, told

    monkeypatch.setattr(Learner, "gradients", gradients_and_look)
    train(make_params(epochs=1, clip_norm=0.5), toy, tmp_path / "a.pt", tmp_path / "scratch")
    assert all(told > 0.5 and left == pytest.approx(0.5, rel=1e-4) for told, left in norms)
    free = norms[0][0]
    norms.clear()
    train(make_params(epochs=1), toy, tmp_path / "b.pt", tmp_path / "scratch")
    assert norms[0] == (pytest.approx(free), pytest.approx(free))


def test_a_compiled_network_learns_the_same(toy, tmp_path, monkeypatch):
    """With torch's tracing, but without its compiler of kernels, which takes minutes."""
    expected = weights_of(toy, tmp_path / "plain", make_params(epochs=1, optimizer="sgd"))
    calls: list[object] = []

    def compiled(network, **options):  # Fabric compiles anew what it has wrapped, with the options it finds
        calls.append(network)
        return trace(network)

    trace = partial(torch.compile, backend="eager")
    monkeypatch.setattr(torch, "compile", compiled)
    found = weights_of(toy, tmp_path / "compiled", make_params(epochs=1, optimizer="sgd", compile=True))
    assert calls
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)
