"""MuLA's rows of Tables 1 and 2: who depends on whom, stage by stage."""

from __future__ import annotations

import pytest
import torch

from tests.trainer.models.test_rows import small
from trainer.models import build_model
from trainer.models.mula import MULA_ROWS

FED = {"vgg16": (200, 72), "hourglass": (128, 64)}


def changed(name: str, network: str) -> tuple[list[bool], list[bool]]:
    """Whether parsing and pose change, per stage, when the first layer of one of the two networks does."""
    model = small(name).eval()
    images = torch.randn(1, 3, *FED[MULA_ROWS[name].encoder])
    with torch.no_grad():
        before = model(images)
        first = next(layer for layer in getattr(model, network).modules() if isinstance(layer, torch.nn.Conv2d))
        first.weight.mul_(-1)
        after = model(images)
    return tuple(
        [not torch.equal(old, new) for old, new in zip(getattr(before, task), getattr(after, task), strict=True)]
        for task in ("parsing", "pose")
    )


@pytest.mark.parametrize(
    ("name", "parsing_heeds_pose", "pose_heeds_parsing"),
    [
        ("vgg16-fcn", [False], [False]),
        ("vgg16-fcn-self", [False], [False]),
        ("vgg16-fcn-add", [True], [True]),
        ("vgg16-fcn-multi", [True], [True]),
        ("vgg16-fcn-concat", [True], [True]),
        ("vgg16-fcn-la-pose", [False], [True]),
        ("vgg16-fcn-la-parsing", [True], [False]),
        ("vgg16-fcn-mula", [True], [True]),
        ("hg-0s-1u-mula", [False], [False]),
        ("hg-2x1u", [False, False], [False, False]),
        ("hg-1s-1u-mula", [True], [True]),
        ("hg-2s-1u-mula", [True, True], [True, True]),
        ("hg-2s-1u-mula-1st-stage", [True, True], [True, True]),
        ("hg-2s-1u-mula-2nd-stage", [False, True], [False, True]),
    ],
)
def test_networks_depend_on_each_other_as_the_row_says(name, parsing_heeds_pose, pose_heeds_parsing):
    stages = len(MULA_ROWS[name].exchange)
    assert changed(name, "pose") == (parsing_heeds_pose, [True] * stages)
    assert changed(name, "parsing") == ([True] * stages, pose_heeds_parsing)


def test_first_stage_alone_adapts_in_that_row():
    kinds = [[*exchange.tailoring] for exchange in small("hg-2s-1u-mula-1st-stage").exchanges]
    assert kinds == [["parsing", "pose"], []]


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_next_stage_sees_what_the_variant_says(variant):
    """Text: maps of the refined features and of the predictions. Code: of the unrefined ones, plus the own input."""
    model = small("hg-2s-1u-mula", variant).double().eval()
    fed, refined = [], []
    for encoder in model.parsing.encoders:
        encoder.register_forward_hook(lambda module, inputs, output: fed.append((inputs[0], output)))
    model.exchanges[0].register_forward_hook(lambda module, inputs, output: refined.append(output[0]))
    with torch.no_grad():
        prediction = model(torch.randn(1, 3, 64, 64, dtype=torch.float64))
        map_features, map_outputs = model.parsing.map_features[0], model.parsing.map_outputs[0]
        by_hand = map_outputs(prediction.parsing[0])
        by_hand += map_features(refined[0]) if variant == "paper" else map_features(fed[0][1]) + fed[0][0]
    assert torch.allclose(fed[1][0], by_hand, rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("vgg16-fcn-mula", (256, 160), r"a side of 160 .* Sides near it that do: 120, 128, 200, 208"),
        ("vgg16-fcn-mula", (250, 256), r"a side of 250 .* must divide by 8 and .* 240, 248, 256"),
        ("vgg16-fcn-mula", (64, 64), r"a side of 64 .* 72, 80"),
        ("vgg16-fcn", (256, 0), r"a side of 0 does not fit, it must divide by 8. Sides near it that do: 8, 16"),
        ("vgg16-fcn-mtl", (256, 50), r"a side of 50 does not fit, it must divide by 8"),
        ("hg-5s-1u-mula", (384, 96), r"a side of 96 .* must divide by 64 and .* Sides near it that do: 64, 128, 192"),
        ("hg-2x1u", (96, 256), r"a side of 96 does not fit, it must divide by 64. Sides"),
    ],
)
def test_sizes_that_do_not_fit_are_told_with_some_that_do(name, size, message):
    model = small(name)
    with pytest.raises(ValueError, match=f"input size: {message}"):
        model.check_input_size(size)
    with pytest.raises(ValueError, match="input size"):
        model(torch.zeros(1, 3, *size))


@pytest.mark.parametrize("name", ["vgg16-fcn", "vgg16-fcn-mtl", "hg-0s-1u-mula"])
def test_widths_that_do_not_fit_are_told(name):
    with pytest.raises(ValueError, match="channels: 12, expected a multiple of 8"):
        build_model(name, 5, 4, channels=12)
