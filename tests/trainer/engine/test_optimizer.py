"""Rates by hand, and the optimisers that parameters name."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from pipeline.params import Train
from trainer.engine.optimizer import build_optimizer, learning_rate


def settings_of(**changes) -> Train:
    given = {
        "datasets": ("a",), "label_set": "lip", "keypoint_set": "lip16", "backbone": "resnet18_slim",
        "input_size": (8, 8), "epochs": 1, "batch_size": 2, "lr": 1.0,
    }  # fmt: skip
    return Train.model_validate({**given, **changes})


def test_poly_rate_with_warmup():
    settings = settings_of(warmup_steps=3)
    rates = [learning_rate(step, 10, settings) for step in range(10)]
    assert rates[0] == pytest.approx(0.25)
    assert rates[1] == pytest.approx(0.5 * 0.9**0.9)
    assert rates[5] == pytest.approx(0.5**0.9)
    assert rates[9] == pytest.approx(0.1**0.9)
    assert learning_rate(9, 10, settings_of(schedule="constant", warmup_steps=3)) == 1


@pytest.mark.parametrize("factors", [[0.5, 0.25, 0.125, 0.0625], [0.5, 0.25, 0.1, 0.05]])
def test_the_rate_falls_after_mulas_milestones(factors):
    milestones = [150, 170, 200, 230]
    settings = settings_of(schedule="step", milestones=milestones, factors=factors, epochs=250, lr=2.5e-3)
    rates = [learning_rate(step, 250 * 7, settings) / 2.5e-3 for step in range(250 * 7)]
    bounds = [0, *milestones, 250]
    by_hand = [
        factor
        for factor, begin, end in zip([1, *factors], bounds, bounds[1:], strict=False)
        for _ in range(7 * (end - begin))
    ]
    assert rates == pytest.approx(by_hand)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"milestones": [3], "factors": [0.5, 0.1], "schedule": "step"}, "milestones are 1 and factors 2"),
        ({"milestones": [3, 2], "factors": [0.5, 0.1], "schedule": "step"}, r"\[3, 2\], expected epochs that rise"),
        ({"milestones": [3], "factors": [0.5]}, "are those of schedule step"),
        ({"schedule": "step"}, "cannot do without"),
    ],
)
def test_milestones_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        settings_of(**changes)


def test_optimisers_have_their_settings_and_leave_frozen_weights_alone():
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    network[0].requires_grad_(False)
    kinds = {"sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop, "adamw": torch.optim.AdamW}
    for name, kind in kinds.items():
        optimizer = build_optimizer(network, settings_of(optimizer=name, momentum=0.8, weight_decay=0.01, lr=0.1))
        assert type(optimizer) is kind
        (group,) = optimizer.param_groups
        assert group["params"] == list(network[1].parameters())
        assert (group["lr"], group["weight_decay"]) == (0.1, 0.01)
        assert group.get("momentum", 0) == (0.8 if name == "sgd" else 0)
