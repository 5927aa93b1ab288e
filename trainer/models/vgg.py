"""VGG16's convolutions, as MuLA (section 3.2) and FCN use them."""

from __future__ import annotations

from torch import Tensor, nn

_CONVOLUTIONS = (2, 2, 3, 3, 3)


class VGG16(nn.Module):
    """The 13 convolutions of VGG16 in five stages of C/8, C/4, C/2, C and C channels.

    Attributes:
        channels: of the five stages.
    """

    def __init__(self, channels: int, pools: int) -> None:
        """Fresh weights.

        Args:
            channels: C, 512 in VGG16; a multiple of 8.
            pools: how many of the stages, from the first, end with a pooling by 2: 5 in VGG16, 3 in MuLA's FCN.
        """
        super().__init__()
        if channels < 8 or channels % 8:
            raise ValueError(f"channels: {channels}, expected a multiple of 8")
        self.channels = tuple(channels // share for share in (8, 4, 2, 1, 1))
        stages = []
        inputs = 3
        for number, (outputs, count) in enumerate(zip(self.channels, _CONVOLUTIONS, strict=True)):
            layers: list[nn.Module] = []
            for _ in range(count):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True)]
                inputs = outputs
            stages.append(nn.Sequential(*layers, nn.MaxPool2d(2)) if number < pools else nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (N, 3, H, W) -> outputs of the five stages, each pooled one half as large as what it was given."""
        outputs = []
        features = images
        for stage in self.stages:
            features = stage(features)
            outputs.append(features)
        return outputs
