"""The heterogeneous non-local block (CorrPM section 3.3, Eq. 1-3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from trainer.models.layers import Variant, conv_norm, size_of

_FUSED = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.CUDNN_ATTENTION]
"""The kernels that never hold the N x N relation map."""


class HeterogeneousNonLocal(nn.Module):
    """Refines the parsing feature by its correlation with a hybrid of the parsing and other factors' features.

    Eq. 1: f_h = W_a(f_p + f_b + f_k), + being concatenation. Eq. 2: S = softmax(A B) with A from f_h, B from f_p.
    Eq. 3: f_p2 = W_b(S f_p1) + f_p. The last layer starts at zero, so that the block starts as the identity.

    The text (variant "paper") has C inner channels, all N positions and a zero W_b. The authors' code ("official") has
    C / 2 inner channels, B and f_p1 max-pooled by 2, a norm and activation after W_a, and a norm that starts at zero
    after W_b. Without factors there is no W_a and f_h is f_p: plain self-correlation (row PP of Table 5).
    """

    def __init__(self, channels: int, num_factors: int = 2, variant: Variant = "official") -> None:
        super().__init__()
        self.hybrid = _hybrid(channels, num_factors, variant) if num_factors else nn.Identity()
        if variant == "official":
            inner = channels // 2
            self.pool: nn.Module = nn.MaxPool2d(2)
            norm = nn.BatchNorm2d(channels)
            nn.init.zeros_(norm.weight)
            self.restore: nn.Module = nn.Sequential(nn.Conv2d(inner, channels, 1), norm)
        else:
            inner = channels
            self.pool = nn.Identity()
            self.restore = nn.Conv2d(inner, channels, 1)
            for parameter in self.restore.parameters():
                nn.init.zeros_(parameter)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, inner, 1)

    def forward(self, parsing: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """f_p (N, C, h, w) and the other factors' features, each (N, C, h, w) -> f_p2 (N, C, h, w)."""
        hybrid = self.hybrid(torch.cat([parsing, *factors], dim=1))
        keys, values = self.pool(self.key(parsing)), self.pool(self.value(parsing))
        return self.restore(correlate(self.query(hybrid), keys, values)) + parsing


class Concatenation(nn.Module):
    """Row P+B, P+K or P+B+K of Table 5: the concatenated features through W_a alone, Eq. 1 without Eq. 2-3."""

    def __init__(self, channels: int, num_factors: int, variant: Variant) -> None:
        super().__init__()
        self.hybrid = _hybrid(channels, num_factors, variant)

    def forward(self, parsing: Tensor, factors: Sequence[Tensor]) -> Tensor:
        """f_p (N, C, h, w) and the other factors' features, each (N, C, h, w) -> f_h (N, C, h, w)."""
        return self.hybrid(torch.cat([parsing, *factors], dim=1))


def _hybrid(channels: int, num_factors: int, variant: Variant) -> nn.Module:
    """W_a of Eq. 1; the authors' code has a norm and an activation after it."""
    inputs = channels * (1 + num_factors)
    return conv_norm(inputs, channels, variant) if variant == "official" else nn.Conv2d(inputs, channels, 1)


def correlate(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """S f_p1 of Eq. 2-3: for every position of the queries, the values weighted by softmax(query . key), unscaled.

    The softmax runs over the keys' positions. The relation map is never held: only fused kernels are allowed.

    Args:
        queries: (N, C, H, W).
        keys, values: (N, C, h, w).

    Returns:
        (N, C, H, W).
    """
    with sdpa_kernel(_FUSED):
        gathered = scaled_dot_product_attention(_rows(queries), _rows(keys), _rows(values), scale=1.0)
    return gathered.squeeze(1).transpose(1, 2).unflatten(2, size_of(queries))


def _rows(features: Tensor) -> Tensor:
    """(N, C, h, w) -> (N, 1, h w, C), contiguous: the fused kernels take nothing else."""
    return features.flatten(2).transpose(1, 2).unsqueeze(1).contiguous()
