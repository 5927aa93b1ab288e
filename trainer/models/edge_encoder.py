"""The edge encoder (CorrPM section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.models.layers import Variant, conv_norm, resize, size_of


class EdgeEncoder(nn.Module):
    """Res2, Res3 and Res4, brought to Res2's size, concatenated and fused by a 1x1 convolution without norm.

    CorrPM's code first takes each to half of the output's channels, and predicts the edge from the fused feature.
    """

    def __init__(self, inputs: tuple[int, int, int], channels: int, variant: Variant) -> None:
        super().__init__()
        inner = channels // 2
        self.reduce = nn.ModuleList([conv_norm(count, inner, variant) for count in inputs])
        self.fuse = nn.Conv2d(len(inputs) * inner, channels, 1, bias=False)
        self.predict = nn.Conv2d(channels, 2, 1)
        self.align_corners = variant == "official"

    def forward(self, features: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Res2, Res3, Res4 -> edge feature f_b (N, C, H/4, W/4) and edge logits (N, 2, H/4, W/4)."""
        size = size_of(features[0])
        reduced = [
            resize(reduce(feature), size, align_corners=self.align_corners)
            for reduce, feature in zip(self.reduce, features, strict=True)
        ]
        fused = self.fuse(torch.cat(reduced, dim=1))
        return fused, self.predict(fused)
