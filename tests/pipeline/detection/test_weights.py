"""Weights as torchvision writes them: the same people as torchvision's own factory finds with the same file."""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import detection
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights, MaskRCNN_ResNet50_FPN_Weights

from pipeline.detection.loading import load_detector
from pipeline.detection.mask_rcnn_basic import ARCHITECTURE
from pipeline.detection.mask_rcnn_resnet50 import V1, V2
from pipeline.detection.weights import check_teacher, convert_weights, published
from pipeline.errors import DataError
from pipeline.teacher_file import write_teacher
from tests.pipeline.detection.builders import RESNETS, SPEC, TINY, check_equal, forward, noise, resnet, tiny_network

WEIGHTS = {V1: MaskRCNN_ResNet50_FPN_Weights.COCO_V1, V2: MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1}
FACTORIES = {V1: detection.maskrcnn_resnet50_fpn, V2: detection.maskrcnn_resnet50_fpn_v2}


def published_state(name: str) -> OrderedDict[str, torch.Tensor]:
    """Random weights under the names that the published file has: version 1 was written before they changed."""
    state = resnet(name).state_dict()
    if name == V2:
        return state
    for norm in [key for key in state if key.endswith("running_var")]:
        state[norm] = torch.rand_like(state[norm]) + 0.5  # an epsilon of 1e-5 would be seen in the scores' last digits
    state = OrderedDict((key, value) for key, value in state.items())  # without the version of the names
    for new, old in (
        ("backbone.fpn.inner_blocks.{}.0.", "backbone.fpn.inner_blocks.{}."),
        ("backbone.fpn.layer_blocks.{}.0.", "backbone.fpn.layer_blocks.{}."),
    ):
        for level in range(4):
            for kind in ("weight", "bias"):
                state[old.format(level) + kind] = state.pop(new.format(level) + kind)
    for kind in ("weight", "bias"):
        state["rpn.head.conv." + kind] = state.pop("rpn.head.conv.0.0." + kind)
        for layer in range(4):
            state[f"roi_heads.mask_head.mask_fcn{layer + 1}.{kind}"] = state.pop(
                f"roi_heads.mask_head.{layer}.0.{kind}"
            )
    return state


def reduce(network: nn.Module) -> nn.Module:
    """A small input and few proposals, to be quick."""
    network.transform.min_size, network.transform.max_size = (96,), 128
    network.rpn._post_nms_top_n["testing"] = 30
    return network.eval()


@pytest.mark.parametrize("name", RESNETS)
def test_a_published_file_finds_what_torchvision_s_own_factory_finds_with_it(name, tmp_path, monkeypatch):
    weights = WEIGHTS[name]
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = cache / Path(weights.url).name  # where torchvision looks before it downloads
    torch.save(published_state(name), file)
    convert_weights(name, file, tmp_path / "detector.safetensors")
    check_teacher(name, tmp_path / "detector.safetensors")
    detector = load_detector(tmp_path / "detector.safetensors")
    assert detector.teacher_id.startswith(f"{name}-")
    assert (detector.network.transform.min_size, detector.network.transform.max_size) == ((800,), 1333)
    reduce(detector.network)
    image = noise(75, 100)
    theirs = forward(reduce(FACTORIES[name](weights=weights)), image, threads=4)
    check_equal(detector.detect(image), theirs, (75, 100))


def test_published_weights_are_checked_by_the_digits_of_their_names():
    assert published(V1).checksums == {"sha256": "bf2d0c1e"}
    assert published(V2).checksums == {"sha256": "73cbd019"}
    assert published(V2).name == "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth"


def test_a_network_fitted_for_other_classes_keeps_them(tmp_path):
    torch.manual_seed(3)
    network = detection.maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3)
    torch.save({"model": network.state_dict(), "epoch": 3}, tmp_path / "own.pth")
    convert_weights(V1, tmp_path / "own.pth", tmp_path / "own.safetensors")
    loaded = load_detector(tmp_path / "own.safetensors").network
    assert isinstance(loaded.backbone.body.bn1, nn.BatchNorm2d)
    for key, values in network.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(loaded.state_dict()[key].numpy(), values.numpy())


CLASSES = "roi_heads.box_predictor.cls_score.weight"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no weights", r"x\.pth: not readable as a PyTorch state dict"),
        (b"", r"x\.pth: not readable as a PyTorch state dict"),
        ([1, 2], r"x\.pth: holds no PyTorch state dict\. Save it with"),
        ({"weight": torch.zeros(2)}, rf"x\.pth: lacks '{CLASSES}', expected the weights of maskrcnn_resnet50_fpn_v2"),
        ({CLASSES: torch.zeros(91, 1024)}, r"x\.pth: lacks 'backbone\.body\.conv1\.weight' \(\d+ such tensors\)"),
        ({CLASSES: torch.zeros(91, 256)}, r"x\.pth: weights of another shape than maskrcnn_resnet50_fpn_v2 has: size"),
    ],
)
def test_a_file_of_other_weights_is_told_in_one_line(tmp_path, content, told):
    file = tmp_path / "x.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(DataError, match=told) as caught:
        convert_weights(V2, file, tmp_path / "detector.safetensors")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "detector.safetensors").exists()


def test_the_small_network_takes_nobody_else_s_weights(tmp_path):
    with pytest.raises(DataError, match=r"x\.pth: expected the \.safetensors of a mask_rcnn_basic"):
        convert_weights(ARCHITECTURE, tmp_path / "x.pth", tmp_path / "y")


def test_a_teacher_of_another_network_is_refused(tmp_path):
    write_teacher(tmp_path / "small.safetensors", tiny_network(), ARCHITECTURE, TINY, SPEC)
    check_teacher(ARCHITECTURE, tmp_path / "small.safetensors")
    for network in (V2, "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"):
        with pytest.raises(DataError, match=r"holds the weights of 'mask_rcnn_basic', expected '"):
            check_teacher(network, tmp_path / "small.safetensors")
