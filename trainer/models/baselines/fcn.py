"""FCN-8s (Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015, section 4)."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.models.layers import Variant, he_initialise, resize, size_of
from trainer.models.prediction import ParsingNetwork, Prediction
from trainer.models.vgg import VGG16

_FC_KERNEL = 7


class FCN8s(ParsingNetwork):
    """VGG16 with its fully connected layers as convolutions; scores of strides 32, 16 and 8 added up.

    The scores are upsampled bilinearly, as the paper's transposed convolutions start out, and the first fully connected
    layer is padded by 3 in place of 100 pixels around the image.
    """

    align_corners = False

    def __init__(
        self, num_classes: int, num_keypoints: int, variant: Variant = "official", *, channels: int = 512
    ) -> None:
        """Fresh weights.

        Args:
            num_classes: part classes with the background.
            num_keypoints: not predicted.
            variant: changes nothing but the input spec.
            channels: of VGG16's last stages, a multiple of 8; the fully connected layers have 8 times as many.
        """
        super().__init__()
        self.encoder = VGG16(channels, pools=5)
        wide = 8 * channels
        self.connected = nn.Sequential(
            nn.Conv2d(channels, wide, _FC_KERNEL, padding=_FC_KERNEL // 2), nn.ReLU(inplace=True), nn.Dropout2d(0.5),
            nn.Conv2d(wide, wide, 1), nn.ReLU(inplace=True), nn.Dropout2d(0.5),
        )  # fmt: skip
        pool3, pool4 = self.encoder.channels[2:4]
        self.scores = nn.ModuleList([nn.Conv2d(count, num_classes, 1) for count in (pool3, pool4, wide)])
        he_initialise(self)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> parsing (N, num_classes, H/8, W/8), sizes rounded down."""
        self.check_images(images)
        _, _, pool3, pool4, pool5 = self.encoder(images)
        score8, score16, score32 = (
            score(features)
            for score, features in zip(self.scores, (pool3, pool4, self.connected(pool5)), strict=True)
        )  # fmt: skip
        for finer in (score16, score8):
            score32 = finer + resize(score32, size_of(finer), align_corners=False)
        return Prediction([score32])

    def check_input_size(self, size: tuple[int, int]) -> None:
        """Sides of at least 32, VGG16's stride.

        Raises:
            ValueError: a side is shorter.
        """
        if min(size) < 32:
            raise ValueError(f"input size: a side of {min(size)} does not fit, it must be at least 32")
