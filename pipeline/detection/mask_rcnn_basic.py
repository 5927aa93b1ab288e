"""A small Mask R-CNN (He et al. 2017) of torchvision's own parts, for people only: the network of the sample teacher."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from pipeline.detection.base import SCORE_FLOOR
from pipeline.detection.residual import ResidualTrunk
from pipeline.teacher_file import InputSpec

ARCHITECTURE = "mask_rcnn_basic"
THREADS = 1
"""Of one operation on the CPU: a small network gains little from more, and one gives the same people on any number of cores."""


@dataclass(frozen=True)
class RcnnOptions:
    """What the network is built from.

    Attributes:
        widths: channels of the trunk's four layers, strides 4, 8, 16 and 32.
        blocks: basic blocks per layer.
        fpn_channels: channels of the feature pyramid.
        anchor_sizes: side in input pixels of a square anchor, one per pyramid level.
        anchor_ratios: heights over widths of the anchors; people stand upright more often than not.
        box_features: width of the two dense layers of the box head.
        mask_layers: channels of the mask head's 3x3 convolutions.
        max_people: most detections per image.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    fpn_channels: int = 64
    anchor_sizes: tuple[int, ...] = (24, 48, 96, 192)
    anchor_ratios: tuple[float, ...] = (0.75, 1.5, 3.0)
    box_features: int = 256
    mask_layers: tuple[int, ...] = (64, 64)
    max_people: int = 100


INPUT = InputSpec(size=(224, 448))
"""The small teacher's input: the shorter side 224 pixels, the longer at most 448."""


def build_rcnn(options: RcnnOptions, spec: InputSpec) -> MaskRCNN:
    """The network with random weights from torch's generator; nothing is downloaded."""
    channels = options.fpn_channels
    levels = [str(level) for level in range(len(options.widths))]
    backbone = _Backbone(options, levels)
    anchors = AnchorGenerator(
        tuple((size,) for size in options.anchor_sizes), (options.anchor_ratios,) * len(options.anchor_sizes)
    )
    return MaskRCNN(
        backbone,
        min_size=spec.size[0],
        max_size=spec.size[1],
        image_mean=list(spec.mean),
        image_std=list(spec.std),
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(channels, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=300,
        rpn_post_nms_top_n_train=150,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=150,
        rpn_fg_iou_thresh=0.6,
        rpn_batch_size_per_image=128,
        box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=1),
        box_head=TwoMLPHead(channels * 7 * 7, options.box_features),
        box_predictor=FastRCNNPredictor(options.box_features, num_classes=2),
        box_score_thresh=SCORE_FLOOR,
        box_nms_thresh=0.5,
        box_detections_per_img=options.max_people,
        box_batch_size_per_image=48,
        mask_roi_pool=MultiScaleRoIAlign(levels, output_size=14, sampling_ratio=1),
        mask_head=MaskRCNNHeads(channels, options.mask_layers, dilation=1),
        mask_predictor=MaskRCNNPredictor(options.mask_layers[-1], options.mask_layers[-1], num_classes=2),
    )


class _Backbone(nn.Module):
    """Residual trunk and feature pyramid (Lin et al. 2017): images (N, 3, H, W) -> level name -> (N, C, h, w)."""

    def __init__(self, options: RcnnOptions, levels: list[str]) -> None:
        super().__init__()
        self.out_channels = options.fpn_channels
        layers = {f"layer{number}": level for number, level in enumerate(levels, start=1)}
        self.body = IntermediateLayerGetter(ResidualTrunk(options.widths, options.blocks), layers)
        self.fpn = FeaturePyramidNetwork(list(options.widths), options.fpn_channels, norm_layer=nn.BatchNorm2d)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return self.fpn(self.body(images))
