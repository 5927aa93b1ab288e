"""Networks with seeded random weights that find somebody all the same."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.models.detection import MaskRCNN

from pipeline.detection.mask_rcnn_basic import RcnnOptions, build_rcnn
from pipeline.teacher_file import InputSpec

TINY = RcnnOptions(
    widths=(8, 8), blocks=(1, 1), fpn_channels=8, anchor_sizes=(12, 24), box_features=16, mask_layers=(8,), max_people=6
)
SPEC = InputSpec(size=(48, 96))


def tiny_network(seed: int = 0, options: RcnnOptions = TINY) -> MaskRCNN:
    """The small network, smaller still."""
    torch.manual_seed(seed)
    return eager(build_rcnn(options, SPEC))


def eager(network: MaskRCNN) -> MaskRCNN:
    """The network, more ready to call something a person than its random weights are."""
    network.roi_heads.box_predictor.cls_score.bias.data[1] += 2.0
    return network.eval()


def noise(height: int, width: int, seed: int = 5) -> np.ndarray:
    """(height, width, 3) uint8 RGB."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
