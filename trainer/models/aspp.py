"""Atrous spatial pyramid pooling, the context module of the parsing encoder (CorrPM section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.models.layers import Variant, conv_norm, resize, size_of


class ASPP(nn.Module):
    """Image pooling, a 1x1 and three dilated 3x3 convolutions side by side, fused by a 1x1 convolution.

    CorrPM's code gives each branch half of the output's channels and drops a tenth of the fused channels.
    """

    def __init__(self, inputs: int, outputs: int, dilations: tuple[int, ...], variant: Variant) -> None:
        super().__init__()
        inner = outputs // 2
        self.pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), conv_norm(inputs, inner, variant))
        self.branches = nn.ModuleList(
            [
                conv_norm(inputs, inner, variant),
                *(conv_norm(inputs, inner, variant, kernel=3, dilation=dilation) for dilation in dilations),
            ]
        )
        self.fuse = conv_norm(inner * (2 + len(dilations)), outputs, variant)
        self.dropout = nn.Dropout2d(0.1) if variant == "official" else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h, w)."""
        pooled = self.pooled(features).expand(-1, -1, *size_of(features))
        branches = [branch(features) for branch in self.branches]
        return self.dropout(self.fuse(torch.cat([pooled, *branches], dim=1)))


class Decoder(nn.Module):
    """The rest of the parsing encoder: context brought to Res2's size and joined with Res2 (CorrPM section 3.2)."""

    def __init__(self, low: int, channels: int, variant: Variant) -> None:
        super().__init__()
        self.fuse = conv_norm(low + channels, channels, variant)

    def forward(self, context: Tensor, res2: Tensor) -> Tensor:
        """Context (N, C, h, w) and Res2 (N, low, H, W) -> parsing feature f_p (N, C, H, W)."""
        # The one resize of CorrPM's code that does not align corners.
        context = resize(context, size_of(res2), align_corners=False)
        return self.fuse(torch.cat([context, res2], dim=1))
