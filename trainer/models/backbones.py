"""Residual networks whose last stages are dilated, so that they keep a sixteenth or an eighth of the resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

from trainer.models.timm_features import PREFIX, TimmFeatures

Stem = Literal["plain", "three"]


def _conv3x3(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, width, stride, dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu1, self.relu2 = nn.ReLU(inplace=True), nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, width, h / stride, w / stride)."""
        residual = self.relu1(self.bn1(self.conv1(features)))
        residual = self.bn2(self.conv2(residual))
        residual += self.downsample(features)
        return self.relu2(residual)


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 convolutions, and a shortcut; the stride is the 3x3 convolution's."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu1, self.relu2, self.relu3 = (nn.ReLU(inplace=True) for _ in range(3))
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, 4 width, h / stride, w / stride)."""
        residual = self.relu1(self.bn1(self.conv1(features)))
        residual = self.relu2(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        residual += self.downsample(features)
        return self.relu3(residual)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))


@dataclass(frozen=True)
class _Layout:
    """Kind of block, blocks per stage, channels of the first stage's 3x3 convolutions."""

    block: type[BasicBlock] | type[Bottleneck]
    blocks: tuple[int, int, int, int]
    width: int = 64


BACKBONES: Mapping[str, _Layout] = MappingProxyType(
    {
        "resnet18_slim": _Layout(BasicBlock, (2, 2, 2, 2), width=24),
        "resnet18": _Layout(BasicBlock, (2, 2, 2, 2)),
        "resnet50": _Layout(Bottleneck, (3, 4, 6, 3)),
        "resnet101": _Layout(Bottleneck, (3, 4, 23, 3)),
    }
)


class ResNet(nn.Module):
    """Res2 to Res5 of a residual network; strides 4, 8, 16 and 16, the last stage dilated by 2.

    At stride 8 strides are 4, 8, 8 and 8, the last two stages dilated by 2 and 4 (DeepLabV2).

    Attributes:
        name: its key in BACKBONES.
        stem_kind: "plain" or "three".
        channels: channels of Res2, Res3, Res4 and Res5.
    """

    def __init__(self, name: str, stem: Stem, stride: Literal[8, 16] = 16) -> None:
        super().__init__()
        self.name, self.stem_kind, layout = name, stem, BACKBONES[name]
        widths = [layout.width * factor for factor in (1, 2, 4, 8)]
        self.channels = tuple(width * layout.block.expansion for width in widths)
        self.stem, inputs = _stem(stem, layout.width)
        stages = []
        strides, dilations = ((1, 2, 2, 1), (1, 1, 1, 2)) if stride == 16 else ((1, 2, 1, 1), (1, 1, 2, 4))
        for width, blocks, step, dilation in zip(widths, layout.blocks, strides, dilations, strict=True):
            stage = [layout.block(inputs, width, step, dilation)]
            inputs = width * layout.block.expansion
            stage += [layout.block(inputs, width, 1, dilation) for _ in range(blocks - 1)]
            stages.append(nn.Sequential(*stage))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Images (N, 3, H, W) -> Res2 (N, c2, H/4, W/4), Res3 (…/8), Res4 (…/16), Res5 (…/16), sizes rounded up."""
        res2 = self.layer1(self.stem(images))
        res3 = self.layer2(res2)
        res4 = self.layer3(res3)
        return res2, res3, res4, self.layer4(res4)


def _stem(stem: Stem, width: int) -> tuple[nn.Module, int]:
    """The layers before the first stage, of stride 4, and their number of output channels."""
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    if stem == "plain":
        first = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        return nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(inplace=True), pool), width
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, width, 2), (width, width, 1), (width, 2 * width, 1)):
        layers += [_conv3x3(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, pool), 2 * width


def build_backbone(name: str, stem: Stem, stride: Literal[8, 16] = 16) -> ResNet | TimmFeatures:
    """A residual network, or a feature extractor of timm, with fresh weights.

    Args:
        name: a key of BACKBONES, or timm/ and a name that timm knows.
        stem: "plain" (7x7 convolution) or "three" (3x3 convolutions of 64, 64 and 128 channels, as CorrPM's code has);
            timm's networks have their own.
        stride: of the last stage's output.

    Raises:
        ValueError: the name is unknown.
    """
    if name.startswith(PREFIX):
        return TimmFeatures(name.removeprefix(PREFIX), stride)
    if name not in BACKBONES:
        raise ValueError(
            f"backbone: {name!r} is unknown, expected one of {', '.join(BACKBONES)}, or {PREFIX} and a name of timm's"
        )
    return ResNet(name, stem, stride)
