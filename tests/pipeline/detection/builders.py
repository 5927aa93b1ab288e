"""Networks with seeded random weights that find somebody all the same, and what torchvision itself finds with them."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.models.detection import MaskRCNN

from pipeline.detection.architectures import architecture
from pipeline.detection.mask_rcnn_basic import RcnnOptions, build_rcnn
from pipeline.detection.mask_rcnn_resnet50 import COCO_CLASSES, V1, V2
from pipeline.detection.threads import fixed_threads
from pipeline.records import People
from pipeline.teacher_file import InputSpec

TINY = RcnnOptions(
    widths=(8, 8), blocks=(1, 1), fpn_channels=8, anchor_sizes=(12, 24), box_features=16, mask_layers=(8,), max_people=6
)
SPEC = InputSpec(size=(48, 96))
RESNETS = {V1: {"classes": COCO_CLASSES, "frozen_norm": True}, V2: {"classes": COCO_CLASSES}}


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


def resnet(name: str):
    """As the published weights have it, on a small input and with few proposals, to be quick."""
    torch.manual_seed(0)
    known = architecture(name)
    network = eager(known.build(known.options(**RESNETS[name]), InputSpec(size=(96, 128))))
    network.rpn._post_nms_top_n["testing"] = 30
    predictor = network.roi_heads.box_predictor
    predictor.cls_score.weight.data *= 0.01  # random layers end in large numbers, and a softmax of them in ones
    predictor.bbox_pred.weight.data *= 0.01
    predictor.cls_score.bias.data[1] += 2
    return network


def forward(network, image: np.ndarray, threads: int = 1) -> dict:
    """The people of torchvision's own forward."""
    pixels = torch.from_numpy(image.transpose(2, 0, 1).copy()).float() / 255
    with torch.inference_mode(), fixed_threads(threads):
        (found,) = network([pixels])
    person = found["labels"] == 1
    return {name: values[person].numpy() for name, values in found.items()}


def check_equal(people: People, expected: dict, size: tuple[int, int]) -> None:
    assert len(people) == len(expected["scores"]) > 0
    np.testing.assert_array_equal(people.scores, expected["scores"])
    corners = expected["boxes"]
    np.testing.assert_array_equal(people.boxes[:, :2], corners[:, :2])
    np.testing.assert_array_equal(people.boxes[:, 2:], corners[:, 2:] - corners[:, :2])
    for row in range(len(people)):
        assert people.rles[row]["size"] == list(size)
        np.testing.assert_array_equal(people.mask(row), expected["masks"][row, 0] >= 0.5)
