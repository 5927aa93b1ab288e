"""Detectors from their files, and files that cannot be mistaken."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.detection.loading import load_detector
from pipeline.detection.mask_rcnn_basic import ARCHITECTURE, RcnnOptions
from pipeline.detection.torchvision_rcnn import TorchvisionDetector
from pipeline.errors import DataError
from pipeline.teacher_file import write_teacher
from tests.pipeline.detection.builders import SPEC, TINY, noise, tiny_network


def test_a_file_holds_everything_that_is_needed(tmp_path):
    network, image = tiny_network(), noise(60, 83)
    for name in ("a.safetensors", "b.safetensors"):
        write_teacher(tmp_path / name, network, ARCHITECTURE, TINY, SPEC)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    detector = load_detector(tmp_path / "a.safetensors")
    assert detector.teacher_id.startswith("mask_rcnn_basic-")
    assert detector.network.transform.min_size == (48,)
    rounded = network.half().float()
    np.testing.assert_array_equal(detector.detect(image).scores, TorchvisionDetector(rounded, "").detect(image).scores)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_a_device_that_is_given_goes_before_the_best(tmp_path, monkeypatch):
    write_teacher(tmp_path / "a.safetensors", tiny_network(), ARCHITECTURE, TINY, SPEC)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    detector = load_detector(tmp_path / "a.safetensors", torch.device("cpu"))
    assert detector.batch_size == 1 and next(detector.network.parameters()).device.type == "cpu"


def test_another_architecture_is_refused(tmp_path):
    write_teacher(tmp_path / "pose.safetensors", tiny_network(), "simple_baseline_basic", TINY, SPEC)
    with pytest.raises(
        DataError,
        match=r"pose.safetensors: holds the weights of 'simple_baseline_basic', expected 'mask_",
    ):
        load_detector(tmp_path / "pose.safetensors")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "not readable"),
        (b"", "no whole safetensors file"),
        (b"\x10\0\0\0\0\0\0\0{not json", "no whole safetensors"),
    ],
)
def test_a_file_that_is_no_safetensors_file_is_named(tmp_path: Path, content: bytes | None, told: str):
    path = tmp_path / "detector.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=rf"detector.safetensors: {told}"):
        load_detector(path)


def test_somebody_else_s_safetensors_file_is_named(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(DataError, match=r"other.safetensors: a safetensors file without a teacher's metadata"):
        load_detector(tmp_path / "other.safetensors")


def test_weights_that_do_not_fit_the_options_are_named(tmp_path):
    network = tiny_network()
    path = tmp_path / "detector.safetensors"
    write_teacher(path, network, ARCHITECTURE, RcnnOptions(**{**TINY.__dict__, "box_features": 12}), SPEC)
    with pytest.raises(DataError, match=r"'[a-z_.0-9]+' has shape \(.*\), expected \("):
        load_detector(path)
    write_teacher(path, network, ARCHITECTURE, RcnnOptions(**{**TINY.__dict__, "mask_layers": (8, 8)}), SPEC)
    with pytest.raises(DataError, match=r"lacks 'roi_heads.mask_head"):
        load_detector(path)


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    network = tiny_network()
    network.roi_heads.box_predictor.cls_score.bias.data[0] = 1e6
    with pytest.raises(ValueError, match=r"'roi_heads.box_predictor.cls_score.bias' holds values that are not finite"):
        write_teacher(tmp_path / "x.safetensors", network, ARCHITECTURE, TINY, SPEC)
