"""The pose encoder (CorrPM section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.models.layers import resize


class PoseEncoder(nn.Module):
    """Two transposed convolutions that upsample Res5 by 4, and a 1x1 convolution to heatmaps.

    As in Simple Baselines, whose layers CorrPM takes: kernels of 4, stride 2, ReLU, weights drawn with deviation 0.001.
    """

    def __init__(self, inputs: int, channels: int, num_keypoints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((inputs, channels // 2), (channels // 2, channels)):
            deconvolution = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=False)
            nn.init.normal_(deconvolution.weight, std=0.001)
            layers += [deconvolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        self.upsample = nn.Sequential(*layers)
        self.predict = nn.Conv2d(channels, num_keypoints, 1)
        nn.init.normal_(self.predict.weight, std=0.001)
        self.predict.bias = nn.Parameter(torch.zeros(num_keypoints))

    def forward(self, res5: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Res5 (N, inputs, h, w) -> pose feature f_k (N, C, *size) and heatmaps (N, K, *size).

        `size` is Res2's: four times Res5's, or a little less where the input's sides are no multiples of 16.
        """
        feature = resize(self.upsample(res5), size, align_corners=True)
        return feature, self.predict(feature)
