"""Every model gives what it once gave: a changed default of the installed torch is noticed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.trainer.models import stored
from tests.trainer.models.rows import ROWS, small
from trainer.models import VARIANTS

TOLERANCE = 1e-4


def differences(found: stored.Stored, before: stored.Stored) -> dict[str, float]:
    """Output -> largest difference in units of its root mean square."""
    assert {name: one["shape"] for name, one in found.items()} == {name: one["shape"] for name, one in before.items()}
    return {
        name: float(np.abs(np.subtract(one["values"], before[name]["values"])).max() / before[name]["values"][1])
        for name, one in found.items()
    }


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ROWS)
def test_the_outputs_are_the_stored_ones(name, variant):
    found = differences(stored.look(stored.filled(name, variant), ROWS[name].hw), stored.read(name, variant))
    assert {output: value for output, value in found.items() if not value < TOLERANCE} == {}


def other_align_corners(model, monkeypatch):
    usual = functional.interpolate
    monkeypatch.setattr(
        functional,
        "interpolate",
        lambda *args, align_corners=None, **kw: usual(*args, align_corners=not align_corners, **kw),
    )


def other_epsilon(model, monkeypatch):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3


def other_momentum(model, monkeypatch):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.01


@pytest.mark.parametrize(
    "name, change",
    [
        ("corrpm", other_align_corners),
        ("corrpm", other_epsilon),
        ("hg-2s-1u-mula", other_momentum),
        ("hg-2s-1u-mula", other_align_corners),
        ("hg-2s-1u-mula", other_epsilon),
        ("ce2p", other_align_corners),
    ],
)
def test_another_default_is_noticed(name, change, monkeypatch):
    model = stored.filled(name, "official")
    change(model, monkeypatch)
    found = differences(stored.look(model, ROWS[name].hw), stored.read(name, "official"))
    assert max(found.values()) > 3 * TOLERANCE


def test_weights_depend_on_names_and_shapes_alone():
    models = []
    for seed in (1, 2):
        model = small("corrpm-pb")
        torch.manual_seed(seed)
        nn.init.normal_(next(model.parameters()))
        stored.fill(model)
        models.append(model.state_dict())
    assert all(torch.equal(models[0][key], models[1][key]) for key in models[0])
    assert all(value.any() for key, value in models[0].items() if not key.endswith("num_batches_tracked"))


def test_every_row_is_stored_and_nothing_else():
    kept = {row for file in stored.FOLDER.glob("*.json") for row in stored.json.loads(file.read_text(encoding="utf-8"))}
    assert kept == {f"{name} {variant}" for name in ROWS for variant in VARIANTS}
    assert sum(file.stat().st_size for file in stored.FOLDER.iterdir()) < 200_000
