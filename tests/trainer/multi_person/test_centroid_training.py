"""The branch of centroids as it is trained: targets of a batch, its share of the loss, a network that learns the ways."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipeline.errors import ParamsError
from pipeline.params import Heatmaps, Loss
from tests.trainer.builders import make_params, write_toy_set
from trainer.checkpoints import read_model
from trainer.data.batch import Batch
from trainer.data.targets import make_targets
from trainer.engine import train
from trainer.engine.training import fresh_network, make_card
from trainer.losses import Counts, Targets, training_loss
from trainer.models import build_model, load_model
from trainer.models.prediction import Prediction
from trainer.multi_person import (
    Candidates,
    batch_centroid_offsets,
    centroid_loss,
    centroid_offsets,
    centroid_votes,
)

MULA = Heatmaps(size=(16, 16), stride=4, sigma=7.0, convention="mula")


def random_people(count: int, joints: int, size: tuple[int, int]) -> np.ndarray:
    """(count, joints, 3): some joints missing, the first person without any, the second with one beyond the maps."""
    random = np.random.default_rng(4)
    people = random.random((count, joints, 3)) * [size[1], size[0], 3]
    people[..., 2] = people[..., 2].astype(int)
    people[0, :, 2] = 0
    people[1, 0] = (-1.5, size[0] + 0.5, 2)
    return people


@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_a_batch_is_every_person_by_itself(radius):
    size = (9, 7)
    people = random_people(5, 4, size)
    ways, cells = batch_centroid_offsets(torch.from_numpy(people), size, radius)
    assert ways.dtype == torch.float32 and cells.dtype == torch.bool
    for number, person in enumerate(people):
        offsets, reached = centroid_offsets(person[None], size, radius)
        assert np.array_equal(cells[number].numpy(), reached)
        assert ways[number].numpy() == pytest.approx(offsets, abs=1e-6)
    assert cells.any() and not cells[0].any() and not ways[0].any()


def batch_of(people: np.ndarray, side: int = 64) -> Batch:
    count = len(people)
    return Batch(
        torch.zeros(count, side, side, 3, dtype=torch.uint8),
        torch.zeros(count, side, side, dtype=torch.uint8),
        torch.from_numpy(people.astype(np.float32)),
    )


def test_targets_lie_at_the_cells_of_the_convention():
    """In units of the map's diagonal, 16 sqrt 2; joints at input pixels 5.5 and 37.5 lie at cells 1 and 9."""
    people = np.array([[[5.5, 5.5, 2], [37.5, 5.5, 2], [0, 0, 0]]])
    assert make_targets(batch_of(people), 3, MULA).centroids is None
    ways, cells = make_targets(batch_of(people), 3, MULA, centroids=True).centroids
    diagonal = 16 * math.sqrt(2)
    assert ways.shape == (1, 6, 16, 16) and cells.sum((2, 3)).tolist() == [[9, 9, 0]]  # 7 px are 1.75 cells
    assert (ways[0, :2, 1, 1] * diagonal).tolist() == pytest.approx([4, 0], abs=1e-5)
    assert (ways[0, 2:4, 2, 9] * diagonal).tolist() == pytest.approx([-4, -1], abs=1e-5)
    corrpm = MULA.model_copy(update={"convention": "corrpm", "sigma": 1.0})
    _, cells = make_targets(batch_of(people), 3, corrpm, centroids=True).centroids
    assert cells[0, 0].nonzero().tolist() == [[0, 1], [1, 0], [1, 1], [1, 2], [2, 1]]  # int(5.5 / 4 + 0.5) = 1


def parts_of(people: np.ndarray) -> tuple[Prediction, Targets]:
    torch.manual_seed(1)
    count = len(people)
    prediction = Prediction([torch.randn(count, 3, 8, 8)], centroids=[torch.randn(count, 8, 8, 8, requires_grad=True)])
    parsing = torch.zeros(count, 32, 32, dtype=torch.long)
    ways = batch_centroid_offsets(torch.from_numpy(people), (8, 8), 1.0)
    return prediction, Targets(parsing, parsing, torch.zeros(count, 4, 8, 8), torch.ones(count, 4), ways)


def test_the_loss_has_its_share_and_its_gradient_stays_in_the_cells():
    prediction, targets = parts_of(random_people(3, 4, (8, 8)))
    weights = Loss(refined=0.0, centroids=2.0)
    total, named = training_loss(prediction, targets, weights, align_corners=True)
    (offsets,), (truth, cells) = prediction.centroids, targets.centroids
    chosen = cells.repeat_interleave(2, dim=1)
    errors = (offsets.detach() - truth)[chosen].abs()
    by_hand = float(torch.where(errors < 1, errors**2 / 2, errors - 0.5).mean())
    assert named["centroids"].item() == pytest.approx(by_hand) and total.item() == pytest.approx(2 * by_hand)
    total.backward()
    assert offsets.grad[chosen].all() and not offsets.grad[~chosen].any()
    without = training_loss(prediction, targets._replace(centroids=None), weights, align_corners=True)[1]
    assert "centroids" not in without


def test_losses_of_parts_add_up_to_the_batchs():
    prediction, targets = parts_of(random_people(4, 4, (8, 8)))
    counts, weights = Counts.of(targets), Loss(centroids=3.0)
    whole, _ = training_loss(prediction, targets, weights, align_corners=True)
    added = 0.0
    for part in (slice(0, 1), slice(1, 4)):
        own = Prediction([prediction.parsing[0][part]], centroids=[prediction.centroids[0][part]])
        truth = Targets(*(value[part] for value in targets[:4]), tuple(value[part] for value in targets.centroids))
        added += training_loss(own, truth, weights, align_corners=True, counts=counts)[0].item()
    assert added == pytest.approx(whole.item(), rel=1e-5)


def test_a_network_learns_the_ways():
    """Two drawn people with joints at other places: after some steps every joint points to its own centroid."""
    torch.manual_seed(0)
    people = np.array([[[13, 9, 2], [37, 21, 2], [25, 49, 2]], [[49, 13, 2], [41, 41, 2], [0, 0, 0]]], float)
    images = torch.rand(2, 3, 64, 64)
    for image, person in zip(images, people, strict=True):
        for joint, (x, y, v) in enumerate(person):
            if v:
                image[:, int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4] = torch.eye(3)[joint][:, None, None]
    model = build_model("hg-0s-1u-mula", 3, 3, channels=16, centroids=True)
    batch = batch_of(people)
    targets = make_targets(batch, 3, MULA, background=True, centroids=True)
    weights = Loss(refined=0.0, beta=0.0, centroids=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(100):
        loss, _ = training_loss(model(images), targets, weights, align_corners=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    offsets = model(images).centroids[0].detach().numpy()
    for person, ways in zip(people, offsets, strict=True):
        known = person[:, 2] > 0
        cells = (person[known, :2] + 0.5) / 4 - 0.5
        votes = centroid_votes(Candidates(np.flatnonzero(known), cells, np.ones(known.sum())), ways)
        assert np.abs(votes - cells.mean(0)).max() < 1


def test_training_by_parameter_and_the_model_that_comes_of_it(tmp_path):
    toy = write_toy_set(tmp_path / "toy", train=4, val=2)
    wanted = {"model": "hg-0s-1u-mula", "input_size": [64, 64], "epochs": 1, "convention": "mula"}
    params = make_params(**wanted, centroids=True)
    last = train(params, toy, tmp_path / "parser.pt", tmp_path / "scratch")
    assert last["loss_centroids"] > 0
    card, weights = read_model(tmp_path / "parser.pt")
    assert card.options["centroids"] is True and "centroids.weight" in weights
    model = load_model(tmp_path / "parser.pt")
    assert model(torch.zeros(1, 3, 64, 64)).centroids[0].shape == (1, 32, 16, 16)
    assert not torch.equal(model.centroids.weight, fresh_network(make_card(params), params.seed).centroids.weight)
    assert "centroids" not in make_card(make_params(**wanted)).options


def test_a_model_without_the_branch_is_told():
    with pytest.raises(ParamsError, match=r"train\.centroids: true, yet model 'corrpm' has no such branch"):
        make_card(make_params(centroids=True))


def test_the_mean_is_over_the_cells_of_the_whole_batch():
    offsets, truth = torch.ones(1, 2, 1, 2), torch.zeros(1, 2, 1, 2)
    cells = torch.tensor([[[[True, False]]]])
    assert centroid_loss(offsets, truth, cells) == pytest.approx(0.5)
    assert centroid_loss(offsets, truth, cells, torch.tensor(4.0)) == pytest.approx(0.125)
