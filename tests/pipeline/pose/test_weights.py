"""Weights as torchvision writes them: the joints that torchvision's own factory finds with the same file."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights, keypointrcnn_resnet50_fpn

from pipeline.detection.threads import fixed_threads
from pipeline.errors import DataError, ParamsError
from pipeline.pose.base import PoseSettings
from pipeline.pose.keypoint_rcnn import ARCHITECTURE, INPUT, KeypointRcnnOptions, build
from pipeline.pose.loading import load_estimator
from pipeline.pose.simple_baseline import ARCHITECTURE as SMALL
from pipeline.pose.simple_baseline import PoseOptions, SimpleBaseline
from pipeline.pose.weights import check_teacher, convert_weights, published
from pipeline.teacher_file import InputSpec, write_teacher
from tests.builders import image_pixels

COCO = KeypointRCNN_ResNet50_FPN_Weights.COCO_V1


def published_state() -> OrderedDict[str, torch.Tensor]:
    """Random weights under the names that the published file has, which was written before some of them changed."""
    torch.manual_seed(3)
    network = build(KeypointRcnnOptions(frozen_norm=True), INPUT)
    network.roi_heads.keypoint_predictor.kps_score_lowres.weight.data.normal_(std=0.2)
    state = OrderedDict(network.state_dict().items())  # without the version of the names
    for norm in [key for key in state if key.endswith("running_var")]:
        state[norm] = torch.rand_like(state[norm]) + 0.5  # an epsilon of 1e-5 would be seen
    for new, old in (
        ("backbone.fpn.inner_blocks.{}.0.", "backbone.fpn.inner_blocks.{}."),
        ("backbone.fpn.layer_blocks.{}.0.", "backbone.fpn.layer_blocks.{}."),
    ):
        for level in range(4):
            for kind in ("weight", "bias"):
                state[old.format(level) + kind] = state.pop(new.format(level) + kind)
    for kind in ("weight", "bias"):
        state["rpn.head.conv." + kind] = state.pop("rpn.head.conv.0.0." + kind)
    return state


@pytest.fixture(scope="module")
def state() -> OrderedDict[str, torch.Tensor]:
    return published_state()


def test_a_published_file_finds_what_torchvision_s_own_factory_finds_with_it(state, tmp_path, monkeypatch):
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = cache / Path(COCO.url).name  # where torchvision looks before it downloads
    torch.save(state, file)
    theirs = keypointrcnn_resnet50_fpn(weights=COCO, box_score_thresh=0.0, box_detections_per_img=5).eval()
    convert_weights("keypoint_rcnn", file, tmp_path / "pose.safetensors")
    check_teacher("keypoint_rcnn", tmp_path / "pose.safetensors")
    tool = load_estimator(tmp_path / "pose.safetensors", PoseSettings(flip=False))
    assert tool.teacher_id.startswith(f"{ARCHITECTURE}-") and tool.keypoint_set == "coco17"
    for network in (theirs, tool.network.network):
        assert (network.transform.min_size[-1], network.transform.max_size) == (800, 1333)
        network.transform.min_size, network.transform.max_size = (96,), 128  # to be quick
    image = image_pixels(75, 100, seed=1)
    with torch.inference_mode(), fixed_threads(4):
        found = theirs([torch.from_numpy(image.transpose(2, 0, 1)).float() / 255])[0]
    corners = found["boxes"].numpy()
    assert len(corners) == 5
    joints = tool.estimate(image, np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1))
    assert len(np.unique(joints[..., :2].round(2).reshape(-1, 2), axis=0)) > 20
    np.testing.assert_allclose(joints[..., :2], found["keypoints"].numpy()[..., :2], atol=0.01)


def test_published_weights_are_checked_by_the_digits_of_their_name():
    found = published("keypoint_rcnn")
    assert found.name == "keypointrcnn_resnet50_fpn_coco-fc266e95.pth" and found.checksums == {"sha256": "fc266e95"}
    assert found.urls == (COCO.url,)


def test_the_authors_checkpoints_are_to_be_placed_by_hand():
    with pytest.raises(
        ParamsError, match=r"Get pose_resnet_50_256x192\.pth\.tar.*hpp convert-weights --from simple-ba"
    ):
        published("simple_baseline")


def test_weights_of_something_else_are_told_in_one_line(state, tmp_path):
    file, out = tmp_path / "a.pth", tmp_path / "pose.safetensors"
    for content, told in (
        (b"no weights", "not readable as a PyTorch state dict"),
        ([1], "holds no PyTorch state dict"),
        ({"fc.weight": torch.zeros(1)}, r"lacks 'roi_heads\.keypoint_predictor\.kps_score_lowres\.bias'"),
        (
            {**state, "roi_heads.keypoint_predictor.kps_score_lowres.bias": torch.zeros(6)},
            "finds 6 joints, expected the",
        ),
        (
            {**state, "more": torch.zeros(1)},
            r"has the unknown 'more' \(1 such tensors\), expected the weights of keypoi",
        ),
        (
            {**state, "roi_heads.box_head.fc6.bias": torch.zeros(2)},
            "weights of another shape than keypointrcnn_resnet50",
        ),
    ):
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            torch.save(content, file)
        with pytest.raises(DataError, match=rf"a\.pth: {told}"):
            convert_weights("keypoint_rcnn", file, out)
    with pytest.raises(DataError, match=r"a\.pth: expected a \.safetensors file of a pose teacher.*convert-weights"):
        convert_weights("simple_baseline", file, out)
    assert not out.exists()


def test_a_teacher_of_another_backend_is_refused(tmp_path):
    options = PoseOptions(widths=(8, 8), blocks=(1, 1), deconv_widths=(8,))
    write_teacher(tmp_path / "a.safetensors", SimpleBaseline(options), SMALL, options, InputSpec(size=(32, 24)))
    check_teacher("simple_baseline", tmp_path / "a.safetensors")
    with pytest.raises(
        DataError, match=r"holds the weights of 'simple_baseline_basic', expected 'keypointrcnn_resnet50"
    ):
        check_teacher("keypoint_rcnn", tmp_path / "a.safetensors")
