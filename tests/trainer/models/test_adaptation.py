"""Dynamic convolution against a loop over samples, and the sizes of predicted kernels."""

from __future__ import annotations

import pytest
import torch

from trainer.models.adaptation import ParameterAdapter, Tailoring, dynamic_depthwise, kernel_side


@pytest.mark.parametrize("sides", [(1, 1), (3, 3), (5, 3), (7, 7)])
def test_dynamic_convolution_equals_one_convolution_per_sample(sides):
    torch.manual_seed(0)
    features = torch.randn(3, 4, 9, 11, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    kernels = torch.randn(3, 4, *sides, dtype=torch.float64)
    looped = torch.stack(
        [
            torch.cat(
                [
                    torch.nn.functional.conv2d(
                        features[n : n + 1, c : c + 1], kernels[n : n + 1, c : c + 1], padding=[k // 2 for k in sides]
                    )[0]
                    for c in range(4)
                ]
            )
            for n in range(3)
        ]
    )
    assert torch.allclose(dynamic_depthwise(features, kernels), looped, rtol=0, atol=1e-12)


def test_dynamic_convolution_is_one_grouped_convolution():
    features, kernels = torch.randn(3, 4, 9, 11), torch.randn(3, 4, 3, 3)
    with torch.profiler.profile() as profile:
        dynamic_depthwise(features, kernels)
    assert sum(event.count for event in profile.key_averages() if event.key == "aten::conv2d") == 1


@pytest.mark.parametrize("shape", [(2, 3, 4, 3), (2, 3, 3, 2), (1, 3, 3, 3), (2, 1, 3, 3)])
def test_kernels_that_do_not_fit_are_named(shape):
    with pytest.raises(ValueError, match=r"kernels: shape .*, expected \(2, 3, kh, kw\) with odd kh and kw"):
        dynamic_depthwise(torch.zeros(2, 3, 8, 8), torch.zeros(shape))


@pytest.mark.parametrize(("side", "kernel"), [(64, 7), (32, 3), (96, 11), (16, 1), (24, 2), (9, 1), (57, 7), (65, 8)])
def test_adapter_gives_kernels_of_the_papers_sizes(side, kernel):
    assert kernel_side(side) == kernel
    assert ParameterAdapter(2)(torch.zeros(1, 2, side, 16)).shape == (1, 2, kernel, 1)


def test_tailoring_is_a_residual_by_the_partners_kernels():
    torch.manual_seed(0)
    adapter = ParameterAdapter(4)
    block = Tailoring(4, adapter, torch.nn.Identity())
    own, partner = torch.randn(2, 2, 4, 32, 32)
    by_hand = own + block.after(dynamic_depthwise(block.before(own), adapter(partner)))
    assert torch.equal(block(own, partner), by_hand)
    torch.nn.init.zeros_(adapter[-1].weight)
    torch.nn.init.zeros_(adapter[-1].bias)
    assert torch.allclose(block(own, partner), own + block.after.bias.view(1, -1, 1, 1))
