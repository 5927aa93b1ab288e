"""A narrow residual network: the trunk of both small teachers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1


class ResidualTrunk(nn.Sequential):
    """ResNet of basic blocks (He et al. 2016) with widths of one's choice: stem of stride 4, then `layer1` ... .

    The output stride is 4 after `layer1` and doubles with every further layer. Weights start random (He's normal).
    """

    def __init__(self, widths: Sequence[int], blocks: Sequence[int]) -> None:
        super().__init__()
        self.add_module("conv1", nn.Conv2d(3, widths[0], 7, stride=2, padding=3, bias=False))
        self.add_module("bn1", nn.BatchNorm2d(widths[0]))
        self.add_module("relu", nn.ReLU(inplace=True))
        self.add_module("maxpool", nn.MaxPool2d(3, stride=2, padding=1))
        inputs = widths[0]
        for number, (width, depth) in enumerate(zip(widths, blocks, strict=True), start=1):
            self.add_module(f"layer{number}", _layer(inputs, width, depth, stride=1 if number == 1 else 2))
            inputs = width
        start_convolutions(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, widths[-1], H / s, W / s), s = 2 ** (number of layers + 1)."""
        return super().forward(images)


def start_convolutions(network: nn.Module) -> None:
    """He's normal start, by fan-out, of every convolution below `network`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _layer(inputs: int, width: int, depth: int, stride: int) -> nn.Sequential:
    downsample = None
    if stride != 1 or inputs != width:
        downsample = nn.Sequential(conv1x1(inputs, width, stride), nn.BatchNorm2d(width))
    first = BasicBlock(inputs, width, stride, downsample)
    return nn.Sequential(first, *(BasicBlock(width, width) for _ in range(depth - 1)))
