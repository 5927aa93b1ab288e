"""The heterogeneous non-local block against its equations."""

from __future__ import annotations

import pytest
import torch

from trainer.models.nonlocal_block import HeterogeneousNonLocal, correlate


def looped(block: HeterogeneousNonLocal, parsing, factors):
    """Eq. 1-3 of CorrPM, position by position, for the text's variant."""
    batch, _, height, width = parsing.shape

    def linear(layer, vector):
        return layer.weight[:, :, 0, 0] @ vector + layer.bias

    refined = parsing.clone()
    positions = [(y, x) for y in range(height) for x in range(width)]
    for n in range(batch):
        hybrid = {
            (y, x): linear(block.hybrid, torch.cat([parsing[n, :, y, x], *(factor[n, :, y, x] for factor in factors)]))
            for y, x in positions
        }
        for y, x in positions:
            query = linear(block.query, hybrid[y, x])
            affinity = torch.stack([query @ linear(block.key, parsing[n, :, j, i]) for j, i in positions])
            share = affinity.exp() / affinity.exp().sum()
            gathered = sum(
                s * linear(block.value, parsing[n, :, j, i]) for s, (j, i) in zip(share, positions, strict=True)
            )
            refined[n, :, y, x] += linear(block.restore, gathered)
    return refined


@pytest.mark.parametrize("factors", [1, 2])
def test_text_variant_equals_equations_1_to_3(factors):
    torch.manual_seed(0)
    block = HeterogeneousNonLocal(4, factors, "paper").double()
    torch.nn.init.normal_(block.restore.weight)
    parsing, *others = torch.randn(1 + factors, 2, 4, 3, 4, dtype=torch.float64)
    assert torch.allclose(block(parsing, others), looped(block, parsing, others), rtol=0, atol=1e-12)


def test_official_variant_correlates_with_pooled_keys_and_values():
    torch.manual_seed(0)
    block = HeterogeneousNonLocal(4, 2, "official").double().eval()
    torch.nn.init.ones_(block.restore[1].weight)
    parsing, edge, pose = torch.randn(3, 1, 4, 5, 6, dtype=torch.float64)
    hybrid = block.hybrid(torch.cat([parsing, edge, pose], 1))
    query = block.query(hybrid)[0].flatten(1).T
    key, value = (torch.nn.functional.max_pool2d(layer(parsing), 2)[0].flatten(1) for layer in (block.key, block.value))
    assert key.shape == (2, 2 * 3)  # half the channels; an odd last row is left out
    gathered = ((query @ key).softmax(1) @ value.T).T.reshape(1, 2, 5, 6)
    assert torch.allclose(block(parsing, [edge, pose]), block.restore(gathered) + parsing, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variant", ["paper", "official"])
def test_block_starts_as_the_identity(variant):
    block = HeterogeneousNonLocal(8, 2, variant)
    parsing, edge, pose = torch.randn(3, 2, 8, 6, 5)
    assert torch.equal(block(parsing, [edge, pose]), parsing)


def test_relation_map_is_never_held():
    queries = torch.randn(1, 8, 96, 96, requires_grad=True)
    keys, values = torch.randn(2, 1, 8, 48, 48)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda kept: saved.append(kept.numel()) or kept, lambda kept: kept):
        correlate(queries, keys, values)
    assert max(saved) < 96 * 96 * 48 * 48 / 100
