"""The Correlation Parsing Machine (CorrPM, CVPR 2020, Fig. 2)."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.models.aspp import ASPP, Decoder
from trainer.models.backbones import build_backbone
from trainer.models.edge_encoder import EdgeEncoder
from trainer.models.layers import Variant, size_of
from trainer.models.nonlocal_block import HeterogeneousNonLocal
from trainer.models.pose_encoder import PoseEncoder
from trainer.models.prediction import Prediction


class CorrPM(nn.Module):
    """Parsing, edge and pose encoders over one backbone; the parsing feature refined by the other two.

    Attributes:
        align_corners: how its outputs are to be resized to the input's size.
    """

    def __init__(
        self,
        num_classes: int,
        num_keypoints: int,
        variant: Variant = "official",
        *,
        backbone: str = "resnet101",
        channels: int = 512,
        dilations: tuple[int, ...] = (12, 24, 36),
    ) -> None:
        """Fresh weights.

        Args:
            num_classes: part classes with the background.
            num_keypoints: joints of the pose head.
            variant: the paper's text, or the authors' code.
            backbone: a key of backbones.BACKBONES.
            channels: C of the features f_p, f_b and f_k (512 in section 4.1); even.
            dilations: of the ASPP; the default suits inputs of 384.
        """
        super().__init__()
        if channels < 2 or channels % 2:
            raise ValueError(f"channels: {channels}, expected an even number")
        self.align_corners = variant == "official"
        self.backbone = build_backbone(backbone, "three" if variant == "official" else "plain")
        low, middle, high, top = self.backbone.channels
        self.context = ASPP(top, channels, dilations, variant)
        self.decoder = Decoder(low, channels, variant)
        self.edge_encoder = EdgeEncoder((low, middle, high), channels, variant)
        self.pose_encoder = PoseEncoder(top, channels, num_keypoints)
        self.nonlocal_block = HeterogeneousNonLocal(channels, 2, variant)
        self.coarse = nn.Conv2d(channels, num_classes, 1)
        self.refined = nn.Conv2d(channels, num_classes, 1)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W), fed as the input spec says -> maps of size (H/4, W/4), rounded up.

        Returns:
            parsing = [coarse, refined], edge = [logits], pose = [heatmaps].
        """
        res2, res3, res4, res5 = self.backbone(images)
        parsing = self.decoder(self.context(res5), res2)
        edge, edge_logits = self.edge_encoder((res2, res3, res4))
        pose, heatmaps = self.pose_encoder(res5, size_of(res2))
        refined = self.nonlocal_block(parsing, [edge, pose])
        return Prediction([self.coarse(parsing), self.refined(refined)], [edge_logits], [heatmaps])
