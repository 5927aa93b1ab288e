"""Convolutions in 8 bits: against float64 within what rounding can do, exact where nothing is rounded, never cut off."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import nn
from torch.nn import functional

from pipeline.errors import DataError
from tests.trainer.models.test_prediction_path import trained
from tests.trainer.models.test_rows import ROWS
from trainer.models import build_model, for_prediction
from trainer.models.backbones import BasicBlock, Bottleneck
from trainer.models.folding import fold_norms
from trainer.models.int8 import Int8Conv2d, Int8Upsampling, computes_in_int8, to_int8
from trainer.models.timm_features import TimmFeatures

pytestmark = pytest.mark.skipif(not computes_in_int8(), reason="this processor does not compute in 8 bits")
KERNELS = [
    dict(kernel_size=1),
    dict(kernel_size=3, padding=1),
    dict(kernel_size=3, padding=1, stride=2),
    dict(kernel_size=3, padding=2, dilation=2, bias=False),
    dict(kernel_size=7, padding=3, stride=2),
]


def in_int8(convolution: nn.Conv2d) -> Int8Conv2d:
    given = convolution.stride, convolution.padding, convolution.dilation
    return Int8Conv2d(convolution.weight, convolution.bias, *given)


def bound(convolution: nn.Conv2d, maps: torch.Tensor) -> torch.Tensor:
    """The most that rounding weights and inputs, each by at most half a step, can move each output."""
    weight, given = (
        convolution.weight.detach().double(),
        (convolution.stride, convolution.padding, convolution.dilation),
    )
    input_step = (max(maps.max().item(), 0) - min(maps.min().item(), 0)) / 255
    # A step is a 127th of the largest weight, or of the sum of two neighbours, which is at most twice as much.
    weight_step = (2 * weight.abs().amax((1, 2, 3)) / 127)[:, None, None, None].expand_as(weight)
    inputs = functional.conv2d(torch.full_like(maps, input_step).double(), weight.abs(), None, *given)
    weights = functional.conv2d(maps.abs().double() + input_step, weight_step, None, *given)
    return (inputs + weights) / 2


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@pytest.mark.parametrize("inputs", [64, 33])
@pytest.mark.parametrize("signed", [True, False])
@torch.no_grad()
def test_rounding_moves_outputs_no_further_than_it_can(kernel, inputs, signed):
    torch.manual_seed(0)
    convolution = nn.Conv2d(inputs, 40, **kernel)
    maps = torch.randn(2, inputs, 13, 17)
    maps = maps if signed else maps.relu()
    expected = convolution.double()(maps.double())
    found = in_int8(convolution.float())(maps)
    error = (found - expected).abs()
    assert found.dtype == torch.float32 and found.shape == expected.shape
    assert (error <= bound(convolution, maps) + 1e-5).all()
    assert 0 < error.square().mean() < (0.03 * expected.std()) ** 2


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@torch.no_grad()
def test_what_needs_no_rounding_is_exact(kernel):
    """Whole numbers from 0 to 255, and weights of -63 to 63 that are whole 64ths of one another's largest."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(64, 40, **kernel)
    numbers = torch.randint(-63, 64, convolution.weight.shape)
    numbers[:, :2, 0, 0] = torch.tensor([64, 63])  # the pair whose sum tells the step
    convolution.weight.copy_(numbers)
    maps = torch.randint(0, 256, (1, 64, 13, 17)).float()
    maps[0, 0, 0, :2] = torch.tensor([0.0, 255.0])
    expected = convolution.double()(maps.double())
    found = in_int8(convolution.float())(maps)
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@torch.no_grad()
def test_sums_of_the_largest_numbers_are_not_cut_off(kernel):
    """All inputs and weights at their largest: sixteen bits hold no sum of two such products of 255 x 127."""
    convolution = nn.Conv2d(64, 40, **kernel | {"bias": False})
    for weights in (
        torch.ones(64),
        torch.tensor([1.0, -1.0]).repeat(32),
        torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(16),
    ):
        convolution.weight.copy_(0.3 * weights[:, None, None].expand_as(convolution.weight))
        for maps in (torch.ones(1, 64, 13, 17), weights.relu()[:, None, None].expand(1, 64, 13, 17)):
            expected = convolution(maps)
            found = in_int8(convolution)(maps)
            most = functional.conv2d(maps, convolution.weight.abs(), None, convolution.stride, convolution.padding,
                                     convolution.dilation)  # fmt: skip
            assert (found - expected).abs().max() <= 0.01 * most.max()


@torch.no_grad()
def test_maps_without_any_range_are_no_trouble():
    convolution = nn.Conv2d(64, 40, 3, padding=1)
    for value in (0.0, 5.0, -3.0):
        maps = torch.full((1, 64, 9, 9), value)
        assert (in_int8(convolution)(maps) - convolution(maps)).abs().max() <= 0.02 * max(abs(value), 1e-4)


@torch.no_grad()
def test_a_zero_weight_gives_the_bias():
    convolution = nn.Conv2d(64, 40, 1)
    convolution.weight.zero_()
    assert torch.equal(in_int8(convolution)(torch.randn(1, 64, 5, 5)), convolution(torch.zeros(1, 64, 5, 5)))


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_upsampling_is_the_transposed_convolution(bias):
    torch.manual_seed(0)
    convolution = nn.ConvTranspose2d(64, 40, 4, stride=2, padding=1, bias=bias)
    numbers = torch.randint(-31, 32, convolution.weight.shape)
    numbers[:2, :] = torch.tensor([64, 63])[:, None, None, None]  # the pair whose sum tells the step, for every kind
    convolution.weight.copy_(numbers)
    maps = torch.randint(0, 256, (2, 64, 7, 11)).float()
    maps[0, 0, 0, :2] = torch.tensor([0.0, 255.0])
    expected = convolution.double()(maps.double())
    found = Int8Upsampling(convolution.float())(maps)
    assert found.shape == expected.shape == (2, 40, 14, 22)
    assert (found - expected).abs().max() <= 1e-6 * expected.abs().max()


@torch.no_grad()
def test_threads_change_no_bit():
    torch.manual_seed(0)
    convolution, maps = in_int8(nn.Conv2d(256, 128, 3, padding=1)), torch.randn(1, 256, 24, 24)
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append(convolution(maps))
    torch.set_num_threads(before)
    assert torch.equal(*found)


def test_only_what_is_worth_it_is_replaced():
    layers = nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64), nn.Conv2d(64, 64, 1), nn.Identity(), nn.ReLU(), nn.Conv2d(64, 64, 1, groups=64),
        nn.Conv2d(64, 64, 1, padding="same"), nn.ConvTranspose2d(64, 64, 4, 2, 1), nn.ConvTranspose2d(64, 64, 2, 2),
        nn.Conv2d(64, 20, 1),
    ).eval()  # fmt: skip
    before = [type(layer) for layer in layers]
    to_int8(layers)
    expected = list(before)
    expected[2], expected[4], expected[7] = Int8Conv2d, nn.Identity, Int8Upsampling
    assert [type(layer) for layer in layers] == expected


class Halved(nn.Conv2d):
    """A kind of convolution that does something to its weight."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return self._conv_forward(maps, self.weight / 2, self.bias)


class Backbone(TimmFeatures):
    """Without timm."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.layer = nn.Conv2d(64, 64, 1)


def test_kinds_of_convolutions_and_backbones_of_others_stay_as_they_are():
    layers = nn.Sequential(Halved(64, 64, 1), Backbone(), nn.Sequential(nn.Conv2d(64, 64, 1)))
    to_int8(layers)
    assert [type(layer) for layer in (layers[0], layers[1].layer, layers[2][0])] == [Halved, nn.Conv2d, Int8Conv2d]


@torch.no_grad()
def test_damaged_networks_are_told():
    convolution = nn.Conv2d(64, 64, 1)
    features = torch.zeros(1, 64, 5, 5)
    features[0, 3, 2, 2] = float("inf")
    with pytest.raises(DataError, match=r"int8: the network's features go from 0\.0 to inf, expected finite ones"):
        in_int8(convolution)(features)
    convolution.weight[5, 5] = float("nan")
    with pytest.raises(DataError, match=r"int8: a weight of a convolution of \(64, 64, 1, 1\) is not finite"):
        to_int8(nn.Sequential(convolution))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match="images: none"):
        for_prediction(trained("corrpm"), dtype=torch.int8)(torch.zeros(0, 3, 64, 64))


@torch.no_grad()
def test_a_relu_right_behind_is_done_within():
    torch.manual_seed(0)
    chain = nn.Sequential(nn.Conv2d(64, 64, 1), nn.Identity(), nn.ReLU(), nn.Conv2d(64, 64, 1), nn.LeakyReLU())
    unfolded, folded, basic = (
        Bottleneck(64, 32, 2, 1).eval(),
        Bottleneck(64, 32, 2, 1).eval(),
        BasicBlock(64, 32, 2, 1).eval(),
    )
    for block in (unfolded, folded, basic):
        block.bn1.running_mean.normal_(std=0.5)
    fold_norms(folded)
    fold_norms(basic)
    maps = torch.randn(1, 64, 12, 12).relu()
    for layers in (chain, unfolded, folded, basic):
        expected = layers(maps)
        to_int8(layers)
        assert 0 < (layers(maps) - expected).abs().max() < 0.1 * expected.abs().max()

    def kinds(*layers: nn.Module) -> list[type]:
        return [type(layer) for layer in layers]

    assert kinds(chain[2], chain[4]) == [nn.Identity, nn.LeakyReLU]
    assert kinds(unfolded.relu1, unfolded.relu2, unfolded.relu3) == [nn.ReLU] * 3
    assert kinds(folded.relu1, folded.relu2, folded.relu3) == [nn.Identity, nn.Identity, nn.ReLU]
    assert kinds(basic.relu1, basic.relu2) == [nn.Identity, nn.ReLU]


@pytest.mark.parametrize("name", ROWS)
@torch.no_grad()
def test_every_network_answers_nearly_the_same(monkeypatch, name):
    monkeypatch.setattr("trainer.models.int8._FEWEST_CHANNELS", 1)
    torch.manual_seed(0)
    model, images = trained(name), torch.randn(1, 3, *ROWS[name].hw)
    expected, found = for_prediction(model)(images), for_prediction(model, dtype=torch.int8)(images)
    for head in ("parsing", "edge", "pose"):
        for before, after in zip(getattr(expected, head), getattr(found, head), strict=True):
            assert after.dtype == torch.float32 and after.shape == before.shape
            # Some of these narrow networks of drawn weights make more of every error, stage by stage.
            alike = torch.corrcoef(torch.stack([before.flatten(), after.flatten()]))[0, 1]
            assert alike > 0.85 and not torch.equal(before, after), alike


@torch.no_grad()
def test_labels_agree_and_do_not_depend_on_other_images():
    torch.manual_seed(0)
    model = build_model("corrpm", 7, 16, backbone="resnet18", channels=128).eval()
    images = torch.randn(2, 3, 96, 80) * torch.tensor([1.0, 3.0])[:, None, None, None]
    prepared = for_prediction(model, dtype=torch.int8)
    expected, found = for_prediction(model)(images).parsing[0], prepared(images).parsing[0]
    assert not torch.equal(found, expected)
    assert (found.argmax(1) == expected.argmax(1)).float().mean() > 0.97
    for place in (0, 1):
        assert torch.equal(prepared(images[place : place + 1]).parsing[0][0], found[place])


def test_other_processors_are_refused(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert not computes_in_int8()
    with pytest.raises(ValueError, match="x86"):
        for_prediction(trained("corrpm"), dtype=torch.int8)
