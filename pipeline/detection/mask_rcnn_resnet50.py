"""torchvision's Mask R-CNNs on a ResNet-50 with a feature pyramid, versions 1 and 2, for any number of classes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torchvision.models.detection import MaskRCNN, maskrcnn_resnet50_fpn_v2
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.models.resnet import resnet50
from torchvision.ops.misc import FrozenBatchNorm2d

from pipeline.detection.base import SCORE_FLOOR
from pipeline.teacher_file import InputSpec

V1 = "maskrcnn_resnet50_fpn"
V2 = "maskrcnn_resnet50_fpn_v2"
COCO_CLASSES = 91
"""Of the published weights: COCO's category numbers, 0 the background, 1 the person."""

INPUT = InputSpec(size=(800, 1333))
THREADS = 4
"""Of one operation on the CPU: a fixed number, whatever the number of cores, gives the same people."""

_TRAINED_LAYERS = 5  # of the trunk, all of them; frozen ones are the fitting's choice


@dataclass(frozen=True)
class ResnetOptions:
    """What version 2 is built from.

    Attributes:
        classes: with the background 0 and the person 1; 91 for the published weights, 2 for people only.
        max_people: most detections per image, of all classes together.
    """

    classes: int = 2
    max_people: int = 100


@dataclass(frozen=True)
class FrozenResnetOptions(ResnetOptions):
    """What version 1 is built from.

    Attributes:
        frozen_norm: batch norm of the trunk with fixed statistics and an epsilon of 0, as the published weights have it
            and all that were fitted from them; False is plain batch norm, which can be fitted from random weights.
    """

    frozen_norm: bool = False


def build_v1(options: FrozenResnetOptions, spec: InputSpec) -> MaskRCNN:
    """Version 1 with random weights from torch's generator; nothing is downloaded."""
    norm = _FrozenNorm if options.frozen_norm else nn.BatchNorm2d
    backbone = _resnet_fpn_extractor(resnet50(weights=None, norm_layer=norm), _TRAINED_LAYERS)
    return MaskRCNN(
        backbone,
        num_classes=options.classes,
        min_size=spec.size[0],
        max_size=spec.size[1],
        image_mean=list(spec.mean),
        image_std=list(spec.std),
        box_score_thresh=SCORE_FLOOR,
        box_detections_per_img=options.max_people,
    )


def build_v2(options: ResnetOptions, spec: InputSpec) -> MaskRCNN:
    """Version 2 (Li et al. 2021) with random weights from torch's generator; nothing is downloaded."""
    return maskrcnn_resnet50_fpn_v2(
        weights=None,
        weights_backbone=None,
        num_classes=options.classes,
        min_size=spec.size[0],
        max_size=spec.size[1],
        image_mean=list(spec.mean),
        image_std=list(spec.std),
        box_score_thresh=SCORE_FLOOR,
        box_detections_per_img=options.max_people,
    )


class _FrozenNorm(FrozenBatchNorm2d):
    def __init__(self, features: int) -> None:
        super().__init__(features, eps=0.0)
