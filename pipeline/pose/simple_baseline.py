"""Simple Baseline (Xiao et al. 2018): a residual trunk, transposed convolutions, one heatmap per joint.

Two trunks: a small one of basic blocks, which the sample run fits, and the authors' ResNet-50, 101 and 152.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from pipeline.detection.residual import ResidualTrunk
from pipeline.pose.decoding import CellAt
from pipeline.taxonomy import keypoint_set
from pipeline.teacher_file import InputSpec

ARCHITECTURE = "simple_baseline_basic"
RESNET_ARCHITECTURE = "simple_baseline_resnet"


@dataclass(frozen=True)
class PoseOptions:
    """What the small network is built from.

    Attributes:
        widths: channels of the trunk's layers.
        blocks: basic blocks per layer.
        deconv_widths: channels of the transposed convolutions, each of which doubles the resolution.
        keypoint_set: the joints, by name of their set.
        sigma_cells: of the Gaussians that the network learned.
        cell_at: where in the input a cell of its heatmaps lies; see pipeline.pose.decoding.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    deconv_widths: tuple[int, ...] = (128, 96, 64)
    keypoint_set: str = "coco17"
    sigma_cells: float = 1.5
    cell_at: CellAt = "middle"

    @property
    def stride(self) -> int:
        """Input pixels per heatmap cell."""
        return 2 ** (len(self.widths) + 1 - len(self.deconv_widths))


@dataclass(frozen=True)
class ResnetOptions:
    """What the authors' network is built from.

    Attributes:
        depth: of the ResNet, with the stride in the 3x3 convolutions.
        deconv_widths, keypoint_set, sigma_cells, cell_at: as in PoseOptions; the authors' own checkpoints have
            cell_at "first", and 2 cells at 256x192, 3 at 384x288.
    """

    depth: Literal[50, 101, 152] = 50
    deconv_widths: tuple[int, ...] = (256, 256, 256)
    keypoint_set: str = "coco17"
    sigma_cells: float = 2.0
    cell_at: CellAt = "middle"

    @property
    def stride(self) -> int:
        """Input pixels per heatmap cell."""
        return int(2 ** (5 - len(self.deconv_widths)))


INPUT = InputSpec(size=(128, 96))
"""The small teacher's input: crops of 128 by 96 pixels."""

_TRUNKS = {50: torchvision.models.resnet50, 101: torchvision.models.resnet101, 152: torchvision.models.resnet152}


class SimpleBaseline(nn.Module):
    """The network; its weights start random, from torch's generator."""

    def __init__(self, options: PoseOptions | ResnetOptions) -> None:
        super().__init__()
        self.stride = options.stride
        if isinstance(options, PoseOptions):
            self.trunk: nn.Sequential = ResidualTrunk(options.widths, options.blocks)
            inputs = options.widths[-1]
        else:
            self.trunk, inputs = _resnet_trunk(options.depth), 2048
        layers: list[nn.Module] = []
        for width in options.deconv_widths:
            deconv = nn.ConvTranspose2d(inputs, width, 4, stride=2, padding=1, bias=False)
            nn.init.normal_(deconv.weight, std=(2 / (4 * inputs)) ** 0.5)  # four of its 16 taps reach an output pixel
            layers += [deconv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            inputs = width
        self.upsample = nn.Sequential(*layers)
        self.head = nn.Conv2d(inputs, len(keypoint_set(options.keypoint_set)), 1)
        nn.init.normal_(self.head.weight, std=0.001)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised crops -> (N, K, H / stride, W / stride) heatmaps."""
        return self.head(self.upsample(self.trunk(images)))


def build(options: PoseOptions | ResnetOptions, spec: InputSpec) -> SimpleBaseline:
    """The network with random weights; nothing is downloaded."""
    del spec  # fully convolutional
    return SimpleBaseline(options)


def input_tensor(crops: np.ndarray, spec: InputSpec) -> Tensor:
    """(N, 3, H, W) float32 input of (N, H, W, 3) uint8 RGB crops."""
    pixels = crops if spec.order == "RGB" else crops[..., ::-1]
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(spec.mean)[:, None, None]) / torch.tensor(spec.std)[:, None, None]


def _resnet_trunk(depth: int) -> nn.Sequential:
    """torchvision's ResNet without its classifier: (N, 3, H, W) -> (N, 2048, H / 32, W / 32)."""
    network = _TRUNKS[depth](weights=None)
    trunk = nn.Sequential()
    for name, module in network.named_children():
        if name not in ("avgpool", "fc"):
            trunk.add_module(name, module)
    return trunk
