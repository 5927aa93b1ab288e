"""DeepLabV2 (Chen et al., DeepLab, TPAMI 2018, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.models.backbones import build_backbone
from trainer.models.layers import Variant
from trainer.models.prediction import ParsingNetwork, Prediction


class DeepLabV2(ParsingNetwork):
    """A backbone of stride 8 and an atrous spatial pyramid of classifiers, summed (ASPP-L).

    Without its fusion over input scales (`evaluate.scales` does the like) and without its conditional random field.
    """

    align_corners = True

    def __init__(
        self,
        num_classes: int,
        num_keypoints: int,
        variant: Variant = "official",
        *,
        backbone: str = "resnet101",
        dilations: tuple[int, ...] = (6, 12, 18, 24),
    ) -> None:
        """Fresh weights.

        Args:
            num_classes: part classes with the background.
            num_keypoints: not predicted.
            variant: changes nothing but the input spec.
            backbone: a key of backbones.BACKBONES, or timm/ and a name of timm's.
            dilations: of the classifiers.
        """
        super().__init__()
        self.backbone = build_backbone(backbone, "plain", stride=8)
        classifiers = [
            nn.Conv2d(self.backbone.channels[-1], num_classes, 3, padding=dilation, dilation=dilation)
            for dilation in dilations
        ]
        for classifier in classifiers:
            nn.init.normal_(classifier.weight, std=0.01)
        self.classifiers = nn.ModuleList(classifiers)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> parsing (N, num_classes, H/8, W/8), sizes rounded up."""
        self.check_images(images)
        res5 = self.backbone(images)[-1]
        return Prediction([torch.stack([classify(res5) for classify in self.classifiers]).sum(0)])
