"""CE2P (Ruan et al., Devil in the Details: Towards Accurate Single and Multiple Human Parsing, AAAI 2019, Fig. 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.models.backbones import build_backbone
from trainer.models.layers import Variant, conv_norm, resize, size_of
from trainer.models.prediction import ParsingNetwork, Prediction

_BINS = (1, 2, 3, 6)
_LOW_CHANNELS = 48


class CE2P(ParsingNetwork):
    """Context embedding, high resolution embedding and edges over one backbone, concatenated for the last parsing.

    CorrPM is built on its code: the same backbone, norms and edge supervision.
    """

    def __init__(
        self,
        num_classes: int,
        num_keypoints: int,
        variant: Variant = "official",
        *,
        backbone: str = "resnet101",
        channels: int = 512,
    ) -> None:
        """Fresh weights.

        Args:
            num_classes: part classes with the background.
            num_keypoints: not predicted.
            variant: stem, activation and resizing as in CorrPM.
            backbone: a key of backbones.BACKBONES, or timm/ and a name of timm's.
            channels: of the context feature, even; the others have half as many.
        """
        super().__init__()
        if channels < 2 or channels % 2:
            raise ValueError(f"channels: {channels}, expected an even number")
        self.align_corners = variant == "official"
        self.backbone = build_backbone(backbone, "three" if variant == "official" else "plain")
        low, middle, high, top = self.backbone.channels
        half = channels // 2
        self.pyramid = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), conv_norm(top, channels, variant)) for bins in _BINS
        )
        self.context = conv_norm(top + len(_BINS) * channels, channels, variant, kernel=3)
        self.reduce_context = conv_norm(channels, half, variant)
        self.reduce_low = conv_norm(low, _LOW_CHANNELS, variant)
        self.embed = nn.Sequential(conv_norm(half + _LOW_CHANNELS, half, variant), conv_norm(half, half, variant))
        self.coarse = nn.Conv2d(half, num_classes, 1)
        self.edge_features = nn.ModuleList([conv_norm(count, half, variant) for count in (low, middle, high)])
        self.edge_side = nn.Conv2d(half, 2, 3, padding=1)
        self.edge = nn.Conv2d(2 * len(self.edge_features), 2, 1)
        self.fuse = nn.Sequential(conv_norm(4 * half, half, variant), nn.Dropout2d(0.1))
        self.refined = nn.Conv2d(half, num_classes, 1)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> parsing = [coarse, refined], edge = [logits], of size (H/4, W/4), rounded up."""
        self.check_images(images)
        res2, res3, res4, res5 = self.backbone(images)
        size = size_of(res2)
        pooled = [self._to(size_of(res5), stage(res5)) for stage in self.pyramid]
        context = self.reduce_context(self.context(torch.cat([*pooled, res5], dim=1)))
        parsing = self.embed(torch.cat([self._to(size, context), self.reduce_low(res2)], dim=1))
        reduced = [take(feature) for take, feature in zip(self.edge_features, (res2, res3, res4), strict=True)]
        sides = [self._to(size, self.edge_side(feature)) for feature in reduced]
        features = [self._to(size, feature) for feature in reduced]
        refined = self.refined(self.fuse(torch.cat([parsing, *features], dim=1)))
        return Prediction([self.coarse(parsing), refined], [self.edge(torch.cat(sides, dim=1))])

    def _to(self, size: tuple[int, int], maps: Tensor) -> Tensor:
        return resize(maps, size, align_corners=self.align_corners)
