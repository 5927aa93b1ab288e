"""Every row of the papers' ablation tables, by name: outputs, their shapes, and the parameters they learn through."""

from __future__ import annotations

import re

import pytest
import torch

from tests.trainer.models.rows import CLASSES, KEYPOINTS, ROWS, small
from trainer.models import VARIANTS, ParsingNetwork, Prediction, build_model, model_names


def outputs(prediction: Prediction) -> list[torch.Tensor]:
    return [*prediction.parsing, *prediction.edge, *prediction.pose]


def randomise_zeros(model: ParsingNetwork) -> None:
    """Give random values to weights that start at zero: a block that starts as the identity hides those behind it."""
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)


def test_every_model_stands_in_the_table():
    assert set(ROWS) == set(model_names())


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ROWS)
def test_shapes_and_gradients(name, variant):
    row, model = ROWS[name], small(name, variant)
    randomise_zeros(model)
    prediction = model(torch.randn(2, 3, *row.hw))
    cells = tuple(-(-side // row.stride) for side in row.hw)
    maps = KEYPOINTS + model.pose_background
    assert [tuple(output.shape) for output in prediction.parsing] == [(2, CLASSES, *cells)] * row.parsing
    assert [tuple(output.shape) for output in prediction.edge] == [(2, 2, *cells)] * row.edge
    assert [tuple(output.shape) for output in prediction.pose] == [(2, maps, *cells)] * row.pose
    torch.stack([output.square().mean() for output in outputs(prediction)]).sum().backward()
    # A bias before a norm, and one before a softmax over the keys, cancel out: their gradient is a rounding error.
    unreached = [
        key for key, parameter in model.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert unreached == []


def test_fcn_refuses_inputs_smaller_than_its_stride():
    with pytest.raises(ValueError, match="input size: a side of 31 does not fit, it must be at least 32"):
        small("fcn-8s")(torch.zeros(1, 3, 64, 31))


@pytest.mark.parametrize("name", ROWS)
def test_images_of_another_shape_are_named(name):
    with torch.device("meta"):
        model = small(name)
    for shape in ((2, 1, 64, 64), (3, 64, 64), (2, 64, 64, 3)):
        with pytest.raises(ValueError, match=rf"images: shape {re.escape(str(shape))}, expected \(N, 3, H, W\)"):
            model(torch.zeros(shape, device="meta"))


@pytest.mark.parametrize("name", ["vgg16-fcn-concat", "hg-1s-1u-mula"])
def test_mulas_pose_network_regresses_centroids_where_asked(name):
    assert small(name)(torch.randn(1, 3, *ROWS[name].hw)).centroids == []
    torch.manual_seed(0)
    model = build_model(name, CLASSES, KEYPOINTS, channels=16, centroids=True)
    prediction = model(torch.randn(2, 3, *ROWS[name].hw))
    (centroids,) = prediction.centroids
    assert centroids.shape == (2, 2 * KEYPOINTS, *prediction.pose[-1].shape[2:])
    centroids.sum().backward()
    assert model.centroids.weight.grad.any() and next(model.pose.encoders[-1].parameters()).grad.any()


@pytest.mark.parametrize("hw", [(64, 48), (33, 70)])
def test_corrpm_takes_any_size(hw):
    model = small("corrpm")
    model.check_input_size(hw)
    quarter = tuple(-(-side // 4) for side in hw)
    assert {tuple(output.shape[2:]) for output in outputs(model(torch.randn(2, 3, *hw)))} == {quarter}
