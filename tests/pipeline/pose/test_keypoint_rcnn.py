"""torchvision's Keypoint R-CNN on given boxes, against the network's own forward."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.pose.base import PoseSettings
from pipeline.pose.keypoint_rcnn import INPUT, KeypointRcnnOptions, TorchvisionRoiNetwork, build
from pipeline.pose.rcnn import RcnnEstimator
from pipeline.taxonomy import KEYPOINT_SETS
from pipeline.teacher_file import InputSpec
from tests.builders import image_pixels

SPEC = InputSpec(size=(64, 96))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    network = build(KeypointRcnnOptions(), SPEC).eval()
    # Everything that it proposes counts, so that random weights give people.
    network.roi_heads.score_thresh, network.roi_heads.detections_per_img = 0.0, 7
    predictor = network.roi_heads.keypoint_predictor.kps_score_lowres
    with torch.inference_mode():
        whole = [np.array([[0, 0, 110, 150]], np.float32)]
        (found,) = TorchvisionRoiNetwork(network).roi_maps([image_pixels(150, 110, seed=3)], whole)
        predictor.weight *= 2 / float(found.maps.std())  # logits as a fitted network gives them
    return network


def estimator(network, flip: bool = False) -> RcnnEstimator:
    return RcnnEstimator(TorchvisionRoiNetwork(network), "coco17", "x", PoseSettings(flip))


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return image_pixels(150, 110, seed=3)


def own_forward(network, image):
    with torch.inference_mode():
        return network([torch.from_numpy(image.transpose(2, 0, 1)).float() / 255])[0]


def boxes_of(found) -> np.ndarray:
    corners = found["boxes"].numpy()
    return np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)


def test_boxes_that_the_network_finds_itself_get_its_own_joints(network, image):
    found = own_forward(network, image)
    assert len(found["boxes"]) == 7
    joints = estimator(network).estimate(image, boxes_of(found))
    expected = found["keypoints"].numpy()[..., :2]
    assert len(np.unique(expected.reshape(-1, 2), axis=0)) > 50  # not one and the same place
    assert np.abs(joints[..., :2] - expected).max() < 0.01
    assert joints.dtype == np.float32 and joints.shape == (7, 17, 3)


def test_confidence_is_the_share_of_the_peak_in_the_softmax(network, image):
    boxes = np.array([[10, 20, 60, 90]], np.float32)
    wrapped = TorchvisionRoiNetwork(network)
    with torch.inference_mode():
        ((maps, rois, _),) = wrapped.roi_maps([image], [np.array([[10, 20, 70, 110]], np.float32)])
        logits = wrapped.peaks(maps, rois)[0, :, 2].numpy().astype(float)
    shares = np.exp(logits) / np.exp(maps[0].numpy().astype(float)).sum(axis=(1, 2))
    assert 0.0005 < shares.max() <= 1
    np.testing.assert_allclose(estimator(network).estimate(image, boxes)[0, :, 2], shares.clip(max=1), rtol=1e-4)


def test_each_box_has_its_own_joints_whoever_else_is_asked_for(network, image):
    boxes = np.array([[10, 20, 60, 90], [30, 5, 40, 140], [0, 0, 110, 150]], np.float32)
    tool = estimator(network, flip=True)
    together = tool.estimate_many([image, image[:90]], [boxes, boxes[:0]])
    assert [found.shape for found in together] == [(3, 17, 3), (0, 17, 3)]
    for row, box in enumerate(boxes):
        np.testing.assert_allclose(tool.estimate(image, box[None])[0], together[0][row], atol=1e-3)


def test_a_mirrored_image_gives_mirrored_joints_with_the_flip_test(network):
    image = image_pixels(64, 96, seed=4)  # no padding and no resizing: the mirror image is exact
    box = np.array([[20, 5, 50, 55]], np.float32)
    swap = KEYPOINT_SETS["coco17"].hflip_index
    tool = estimator(network, flip=True)
    plain = tool.estimate(image, box)[0]
    mirrored = tool.estimate(np.ascontiguousarray(image[:, ::-1]), np.array([[96 - 70, 5, 50, 55]], np.float32))[0]
    # Continuous coordinates, as the network counts: x -> W - x.
    same = np.abs(96 - mirrored[swap, 0] - plain[:, 0]) < 0.6
    assert same.mean() > 0.9
    np.testing.assert_allclose(mirrored[swap, 2], plain[:, 2], rtol=0.05)


def test_the_published_input_is_800_pixels():
    assert build(KeypointRcnnOptions(frozen_norm=True), INPUT).transform.min_size == (800,)
