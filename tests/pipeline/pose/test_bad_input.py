"""Odd people and odd files: an answer, or one clear line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import DataError
from pipeline.pose.base import PoseEstimator
from pipeline.pose.crop_estimator import CropEstimator
from pipeline.pose.keypoint_rcnn import KeypointRcnnOptions, TorchvisionRoiNetwork, build
from pipeline.pose.loading import load_estimator
from pipeline.pose.rcnn import RcnnEstimator
from pipeline.pose.simple_baseline import ARCHITECTURE, RESNET_ARCHITECTURE, PoseOptions, SimpleBaseline
from pipeline.teacher_file import InputSpec, write_teacher
from tests.builders import image_pixels

TINY = PoseOptions(widths=(8, 8), blocks=(1, 1), deconv_widths=(8,))
SPEC = InputSpec(size=(32, 24))


@pytest.fixture(scope="module")
def crop_wise() -> PoseEstimator:
    torch.manual_seed(0)
    return CropEstimator(SimpleBaseline(TINY), SPEC, TINY, "tiny")


@pytest.fixture(scope="module")
def image_wise() -> PoseEstimator:
    torch.manual_seed(0)
    network = build(KeypointRcnnOptions(), InputSpec(size=(64, 96)))
    return RcnnEstimator(TorchvisionRoiNetwork(network), "coco17", "tiny")


@pytest.fixture(params=["crop_wise", "image_wise"])
def estimator(request) -> PoseEstimator:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("hw", "box"),
    [
        ((1, 1), (0, 0, 1, 1)),
        ((12000, 40), (0, 0, 40, 12000)),
        ((30, 40), (100, -90, 20, 30)),
        ((30, 40), (-30, -20, 100, 90)),
        ((30, 40), (10, 10, 0.25, 0.25)),
    ],
    ids=["one pixel", "12,000 rows", "outside the image", "around the image", "less than a pixel"],
)
def test_odd_people_have_joints_of_some_confidence(estimator, hw, box):
    joints = estimator.estimate(image_pixels(*hw), np.array([box], np.float32))
    assert joints.shape == (1, 17, 3) and np.isfinite(joints).all()
    assert (joints[..., 2] >= 0).all() and (joints[..., 2] <= 1).all()
    x, y, w, h = box
    middle, reach = np.array([x + w / 2, y + h / 2]), max(w, h) * 1.25 + 1
    assert (np.abs(joints[0, :, :2] - middle) <= reach).all()


@pytest.mark.parametrize("box", [(3, 4, 0, 5), (3, 4, 5, -1), (3, 4, np.nan, 5), (np.inf, 4, 5, 5)])
def test_a_box_without_area_is_named(estimator, box):
    with pytest.raises(ValueError, match=r"boxes: \[.*\] has no area"):
        estimator.estimate(image_pixels(30, 40), np.array([(1, 1, 5, 5), box], np.float32))


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "pose.safetensors"
    write_teacher(file, SimpleBaseline(TINY), RESNET_ARCHITECTURE, TINY, SPEC)
    with pytest.raises(DataError, match=r"pose\.safetensors: options of simple_baseline_resnet do not fit"):
        load_estimator(file)
    write_teacher(file, SimpleBaseline(replace(TINY, deconv_widths=(8, 8))), ARCHITECTURE, TINY, SPEC)
    with pytest.raises(DataError, match=r"pose\.safetensors: has the unknown 'upsample"):
        load_estimator(file)


def test_another_number_of_joints_is_refused(tmp_path):
    file = tmp_path / "pose.safetensors"
    write_teacher(file, SimpleBaseline(TINY), ARCHITECTURE, replace(TINY, keypoint_set="lip16"), SPEC)
    with pytest.raises(DataError, match=r"'head\.weight' has shape \(17, 8, 1, 1\), expected \(16, 8, 1, 1\)"):
        load_estimator(file)


class Crowded(SimpleBaseline):
    """A network whose memory holds two crops."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return super().forward(images)


def test_batches_that_do_not_fit_are_halved_and_everybody_has_their_joints():
    torch.manual_seed(1)
    network = Crowded(TINY)
    torch.nn.init.normal_(network.head.weight, std=0.5)
    plain = SimpleBaseline(TINY)
    plain.load_state_dict(network.state_dict())
    image = image_pixels(60, 50)
    boxes = np.array([[x, 5, 20, 40] for x in range(0, 22, 2)], np.float32)
    tool = CropEstimator(network, SPEC, TINY, "tiny", batch_size=8)
    joints = tool.estimate(image, boxes)
    assert tool.halvings == 2 and tool.batches.size == 2
    expected = CropEstimator(plain, SPEC, TINY, "tiny", batch_size=8).estimate(image, boxes)
    # Another batch size may round the last bits otherwise, and so move a peak by a cell where two tie.
    assert (np.abs(joints - expected) < 1e-3).mean() > 0.99


def test_one_person_too_much_is_one_line():
    class Full(SimpleBaseline):
        def forward(self, images):
            raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(DataError, match="one person: the GPU's memory does not hold it by itself"):
        CropEstimator(Full(TINY), SPEC, TINY, "tiny").estimate(image_pixels(9, 9), np.array([[0, 0, 5, 5]]))
