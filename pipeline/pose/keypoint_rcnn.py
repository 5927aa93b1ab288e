"""torchvision's Keypoint R-CNN (He et al. 2017) on a ResNet-50 with a feature pyramid, run on boxes that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import KeypointRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints
from torchvision.models.resnet import resnet50
from torchvision.ops.misc import FrozenBatchNorm2d

from pipeline.detection.torchvision_rcnn import network_batch
from pipeline.pose.rcnn import RoiMaps
from pipeline.taxonomy import keypoint_set
from pipeline.teacher_file import InputSpec

ARCHITECTURE = "keypointrcnn_resnet50_fpn"
INPUT = InputSpec(size=(800, 1333))
_TRAINED_LAYERS = 5  # of the trunk, all of them; frozen ones are the fitting's choice


@dataclass(frozen=True)
class KeypointRcnnOptions:
    """What the network is built from.

    Attributes:
        keypoint_set: the joints, by name of their set.
        frozen_norm: batch norm of the trunk with fixed statistics and an epsilon of 0, as the published weights have it
            and all that were fitted from them; False is plain batch norm, which can be fitted from random weights.
    """

    keypoint_set: str = "coco17"
    frozen_norm: bool = False


def build(options: KeypointRcnnOptions, spec: InputSpec) -> KeypointRCNN:
    """The network with random weights from torch's generator; nothing is downloaded."""
    norm = partial(FrozenBatchNorm2d, eps=0.0) if options.frozen_norm else nn.BatchNorm2d
    backbone = _resnet_fpn_extractor(resnet50(weights=None, norm_layer=norm), _TRAINED_LAYERS)
    return KeypointRCNN(
        backbone,
        num_classes=2,
        min_size=spec.size[0],
        max_size=spec.size[1],
        image_mean=list(spec.mean),
        image_std=list(spec.std),
        num_keypoints=len(keypoint_set(options.keypoint_set)),
    )


class TorchvisionRoiNetwork:
    """A RoiNetwork around torchvision's Keypoint R-CNN.

    Attributes:
        origin: 0: torchvision's training code takes COCO's joints, which are counted from pixel centres, as they are.
    """

    origin = 0.0

    def __init__(self, network: KeypointRCNN) -> None:
        self.network = network.eval()
        self.device = next(network.parameters()).device

    def roi_maps(self, images: Sequence[np.ndarray], corners: Sequence[np.ndarray]) -> list[RoiMaps]:
        """Maps of the given boxes, by the steps of torchvision's own forward from the trunk on; see RoiNetwork."""
        transform, heads = self.network.transform, self.network.roi_heads
        inputs = network_batch(images, transform, self.device)
        scales = [
            (size[1] / image.shape[1], size[0] / image.shape[0])
            for image, size in zip(images, inputs.image_sizes, strict=True)
        ]
        rois = [
            torch.from_numpy(rows).to(self.device) * torch.tensor([*scale, *scale], device=self.device)
            for rows, scale in zip(corners, scales, strict=True)
        ]
        with torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda"):
            features = self.network.backbone(inputs.tensors)
            pooled = heads.keypoint_roi_pool(features, rois, inputs.image_sizes)
            maps = heads.keypoint_predictor(heads.keypoint_head(pooled)).float()
        per_image = maps.split([len(rows) for rows in rois])
        return [RoiMaps(*found) for found in zip(per_image, rois, scales, strict=True)]

    def peaks(self, maps: Tensor, rois: Tensor) -> Tensor:
        """(P, K, 3): the highest place of each map, resized to its box; see RoiNetwork."""
        points, logits = heatmaps_to_keypoints(maps, rois)
        return torch.cat([points[..., :2], logits[..., None]], dim=2)
