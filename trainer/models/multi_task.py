"""One network with a parsing and a pose head: row VGG16-FCN-MTL of MuLA's Table 1."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.input_spec import MULA_FEEDING
from trainer.models.layers import Variant, he_initialise
from trainer.models.prediction import ParsingNetwork, Prediction
from trainer.models.vgg import VGG16


class MultiTask(ParsingNetwork):
    """VGG16-FCN of stride 8 and two 1x1 classifiers on its last features."""

    align_corners = True
    pose_background = True
    feeding = MULA_FEEDING

    def __init__(
        self, num_classes: int, num_keypoints: int, variant: Variant = "official", *, channels: int = 512
    ) -> None:
        """Fresh weights; text and code do not differ here, so `variant` changes nothing but the input spec.

        Args:
            num_classes: part classes with the background.
            num_keypoints: K; the pose maps are K + 1, the background last.
            variant: the paper's text, or the authors' code.
            channels: of the last features, a multiple of 8.
        """
        super().__init__()
        self.encoder = VGG16(channels, pools=3)
        self.parsing = nn.Conv2d(channels, num_classes, 1)
        self.pose = nn.Conv2d(channels, num_keypoints + 1, 1)
        he_initialise(self)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> parsing (N, num_classes, H/8, W/8) and pose (N, K + 1, H/8, W/8)."""
        self.check_images(images)
        features = self.encoder(images)[-1]
        return Prediction([self.parsing(features)], pose=[self.pose(features)])

    def check_input_size(self, size: tuple[int, int]) -> None:
        """Sides divide by 8.

        Raises:
            ValueError: a side does not.
        """
        for side in size:
            if side < 8 or side % 8:
                raise ValueError(f"input size: a side of {side} does not fit, it must divide by 8")
