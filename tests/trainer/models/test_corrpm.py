"""CorrPM's rows of Tables 2, 5 and 6."""

from __future__ import annotations

import pytest
import torch

from tests.trainer.builders import make_params
from tests.trainer.models.test_rows import randomise_zeros, small
from trainer.engine.training import make_card
from trainer.models.corrpm import CORRPM_ROWS


@pytest.mark.parametrize("name", [name for name, design in CORRPM_ROWS.items() if design.fusion == "correlate"])
def test_correlation_starts_as_the_identity(name):
    model = small(name).eval()
    model.refined.load_state_dict(model.coarse.state_dict())
    coarse, refined = model(torch.randn(1, 3, 48, 48)).parsing
    assert torch.equal(coarse, refined)


@pytest.mark.parametrize("name", CORRPM_ROWS)
def test_refined_parsing_depends_on_the_rows_factors_alone(name):
    model = small(name).eval()
    randomise_zeros(model)
    images = torch.randn(1, 3, 48, 48)
    with torch.no_grad():
        before = model(images)
        for factor in CORRPM_ROWS[name].factors:
            encoder = model.edge_encoder.fuse if factor == "edge" else model.pose_encoder.upsample[0]
            encoder.weight.mul_(3)
            after = model(images)
            assert not torch.equal(before.parsing[-1], after.parsing[-1])
            assert torch.equal(before.parsing[0], after.parsing[0])
            before = after


@pytest.mark.parametrize(
    ("name", "weights", "row"),
    [
        ("corrpm", {"alpha": 0.0}, "corrpm-pk"),
        ("corrpm", {"beta": 0.0}, "corrpm-pb"),
        ("corrpm", {"alpha": 0.0, "beta": 0.0}, "corrpm-pp"),
        ("corrpm", {"coarse": 0.0}, "corrpm"),
        ("corrpm-p+b+k", {"alpha": 0.0}, "corrpm-p+k"),
        ("corrpm-p+b", {"alpha": 0.0}, "corrpm-p"),
        ("corrpm-pkk", {"beta": 0.0}, "corrpm-pp"),
        ("corrpm-p", {"beta": 0.0}, "corrpm-p"),
    ],
)
def test_a_branch_that_weighs_nothing_is_left_out(name, weights, row):
    assert make_card(make_params(model=name, loss=weights)).model == row
