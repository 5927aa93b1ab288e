"""Networks prepared for prediction: what every row of the papers' tables answers stays as it was."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.trainer.models.test_rows import ROWS, randomise_zeros, small
from trainer.models import VARIANTS, ParsingNetwork, build_model, corrpm_prediction, for_prediction
from trainer.models.folding import WithoutPadding, drop_padded_taps, fold_norms
from trainer.models.prediction_path import fastest_dtype


def trained(name: str, variant: str = "official") -> ParsingNetwork:
    """The row, narrow, with norms as training leaves them: no mean 0, no variance 1, no weight 1, some negative."""
    model = small(name, variant)
    randomise_zeros(model)
    for norm in [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]:
        norm.running_mean.normal_(std=0.1)
        norm.running_var.uniform_(0.5, 1.5)
        with torch.no_grad():
            norm.weight.uniform_(-0.5, 1.0)
            norm.bias.normal_(std=0.1)
    return model.eval()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ROWS)
@torch.no_grad()
def test_answers_stay_as_they_were(name, variant):
    """In float64, where rounding leaves 1e-15: what is left can only be another formula."""
    model = trained(name, variant).double()
    images = torch.randn(1, 3, *ROWS[name].hw, dtype=torch.float64)
    plain, prepared = model(images), for_prediction(model)(images)
    only = for_prediction(model, parsing_only=True)(images)
    for head in ("parsing", "edge", "pose"):
        before, after = getattr(plain, head), getattr(prepared, head)
        assert len(after) == min(len(before), 1)
        for expected, found in zip(before[-1:], after, strict=True):
            assert expected.isfinite().all() and expected.abs().max() > 1e-3
            assert (found - expected).abs().max() < 1e-10 * expected.abs().max()
    assert (only.edge, only.pose, only.centroids) == ([], [], [])
    assert (only.parsing[0] - plain.parsing[-1]).abs().max() < 1e-10 * plain.parsing[-1].abs().max()


@pytest.mark.parametrize(
    "name", ["corrpm", "corrpm-pbb", "ce2p", "vgg16-fcn-mula", "hg-1s-1u-mula", "deeplabv2", "fcn-8s"]
)
@torch.no_grad()
def test_in_single_precision_they_differ_by_rounding(name):
    model = trained(name)
    images = torch.randn(2, 3, *ROWS[name].hw)
    expected, found = model(images).parsing[-1], for_prediction(model)(images).parsing[-1]
    assert found.dtype == torch.float32
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@torch.no_grad()
def test_centroids_are_answered_too():
    model = build_model("vgg16-fcn-mula", 5, 4, channels=16, centroids=True).eval()
    images = torch.randn(1, 3, *ROWS["vgg16-fcn-mula"].hw)
    assert torch.equal(for_prediction(model)(images).centroids[0], model(images).centroids[0])


@torch.no_grad()
def test_the_trained_network_is_left_alone():
    model = trained("corrpm")
    before = copy.deepcopy(model.state_dict())
    for_prediction(model, parsing_only=True)(torch.randn(1, 3, 45, 61))
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@torch.no_grad()
def test_preparing_and_asking_draw_no_random_numbers():
    model = trained("corrpm")
    before = torch.get_rng_state()
    prepared = for_prediction(model)
    assert prepared(torch.zeros(0, 3, 64, 64)).parsing[0].shape[0] == 0
    assert torch.equal(torch.get_rng_state(), before)


@torch.no_grad()
def test_the_relation_map_in_products_and_in_convolutions_gathers_the_same(monkeypatch):
    monkeypatch.setattr(corrpm_prediction, "_MAP_CELLS", 100)  # several rows, and parts of them
    queries, keys, values = (
        torch.randn(2, 8, 9, 7).double(),
        torch.randn(2, 8, 4, 3).double(),
        torch.randn(2, 5, 12).double(),
    )
    related = torch.softmax(torch.einsum("nchw,nckl->nhwkl", queries, keys).flatten(3), dim=3)
    expected = torch.einsum("nhwk,nvk->nvhw", related, values)
    for gather in (corrpm_prediction._by_products, corrpm_prediction._by_convolutions):
        assert (gather(queries, keys, values) - expected).abs().max() < 1e-12


def test_no_norm_is_left_behind_a_convolution():
    for name in ("corrpm", "ce2p", "deeplabv2"):
        prepared = for_prediction(trained(name))
        assert not any(isinstance(module, nn.BatchNorm2d) for module in prepared.modules())


def test_what_sizes_fit_is_still_told():
    model = for_prediction(trained("vgg16-fcn-mula"))
    with pytest.raises(ValueError, match="a side of 64 does not fit"):
        model(torch.zeros(1, 3, 64, 72))
    with pytest.raises(ValueError, match=r"images: shape \(1, 1, 64, 64\)"):
        for_prediction(trained("corrpm"))(torch.zeros(1, 1, 64, 64))


def test_a_norm_that_follows_a_norm_or_an_activation_stays():
    layers = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.BatchNorm2d(8), nn.BatchNorm2d(8)).eval()
    fold_norms(layers)
    assert [type(layer) for layer in layers] == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.BatchNorm2d]


@pytest.mark.parametrize("hw", [(6, 7), (6, 20), (20, 6), (7, 8), (20, 21)])
@torch.no_grad()
def test_taps_on_padding_change_nothing(hw):
    layers = nn.Sequential(nn.Conv2d(8, 8, 3, padding=7, dilation=7), nn.Conv2d(8, 8, 3, padding=1)).double()
    features = torch.randn(2, 8, *hw, dtype=torch.float64)
    expected = layers(features)
    drop_padded_taps(layers)
    assert [type(layer) for layer in layers] == [WithoutPadding, nn.Conv2d]
    assert (layers(features) - expected).abs().max() < 1e-12


@torch.no_grad()
def test_half_precision_agrees_on_nearly_all_labels():
    model = trained("corrpm")
    images = torch.randn(1, 3, 45, 61)
    expected, found = (for_prediction(model, dtype=dtype)(images) for dtype in (torch.float32, torch.bfloat16))
    assert found.parsing[0].dtype == torch.float32 and not torch.equal(found.parsing[0], expected.parsing[0])
    assert (found.parsing[0].argmax(1) == expected.parsing[0].argmax(1)).float().mean() > 0.9


@pytest.mark.parametrize("feature, dtype", [("avx512_bf16", torch.bfloat16), ("avx512_f", torch.float32)])
def test_half_precision_is_for_processors_that_have_it(monkeypatch, feature, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {feature: True, "avx512_bf16": False} | {feature: True})
    assert fastest_dtype() == dtype
