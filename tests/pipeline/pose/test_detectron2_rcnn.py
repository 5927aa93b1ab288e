"""detectron2's Keypoint R-CNN on given boxes, against detectron2's own predictor; left out where it is not installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.detection.detectron2_model import model_inputs
from pipeline.errors import DataError, ParamsError
from pipeline.images import decode_image
from pipeline.pose import PoseSettings
from pipeline.pose.detectron2_rcnn import convert_weights, keypoint_config
from pipeline.pose.loading import load_estimator
from pipeline.pose.weights import check_teacher, published
from tests.builders import REAL, image_pixels

CONFIG = "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml"
MASKS = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"
LEAST_PEOPLE = 20

here = importlib.util.find_spec("detectron2") is not None
with_detectron2 = pytest.mark.skipif(not here, reason="detectron2 is not installed")


@pytest.mark.skipif(here, reason="detectron2 is installed")
def test_without_detectron2_one_line_says_how_to_install_it():
    with pytest.raises(ParamsError, match=r"detectron2 is not installed.* `pip install --no-build-isolation"):
        keypoint_config(CONFIG)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> tuple[Path, Path]:
    """Random weights of a model whose every proposal is a person: a config of one's own, a checkpoint."""
    from detectron2.config import get_cfg
    from detectron2.model_zoo import get_config_file
    from detectron2.modeling import build_model
    from detectron2.structures import Boxes

    folder = tmp_path_factory.mktemp("detectron2")
    config = folder / "own.yaml"
    config.write_text(
        f"_BASE_: {get_config_file(CONFIG)}\n"
        "INPUT: {MIN_SIZE_TEST: 240, MAX_SIZE_TEST: 400}\n"
        "MODEL: {RPN: {POST_NMS_TOPK_TEST: 60}, ROI_HEADS: {SCORE_THRESH_TEST: 0.0}}\n"
        "TEST: {DETECTIONS_PER_IMAGE: 20}\n"
    )
    cfg = get_cfg()
    cfg.merge_from_file(str(config))
    cfg.MODEL.DEVICE = "cpu"
    torch.manual_seed(5)
    network = build_model(cfg)
    heads = network.roi_heads
    with (
        torch.no_grad()
    ):  # random features are far too large: anchors are people, and the maps get a fitted network's scale
        for layer in (network.proposal_generator.rpn_head.anchor_deltas, heads.box_predictor.bbox_pred):
            layer.weight.zero_()
        heads.box_predictor.cls_score.weight.zero_()
        levels = network.eval().backbone(network.preprocess_image(model_inputs([image_pixels(240, 320)], cfg)).tensor)
        pooled = heads.keypoint_pooler(
            [levels[name] for name in heads.keypoint_in_features], [Boxes(torch.tensor([[0.0, 0, 320, 240]]))]
        )
        heads.keypoint_head.score_lowres.weight.mul_(2 / heads.keypoint_head.layers(pooled).std())
    torch.save({"model": network.state_dict()}, folder / "weights.pth")
    convert_weights(str(config), folder / "weights.pth", folder / "pose.safetensors")
    return config, folder / "weights.pth"


@pytest.fixture(scope="module")
def teacher(model) -> Path:
    """The same as a teacher's file."""
    return model[1].with_name("pose.safetensors")


def photos() -> list[np.ndarray]:
    """The real COCO photos where they are, and noise."""
    found = sorted((REAL / "coco").rglob("*.jpg"))
    return [image_pixels(150, 211, seed=2), *(decode_image(path.read_bytes(), path.name) for path in found)]


@with_detectron2
def test_its_own_detections_get_its_own_joints(model, teacher):
    from detectron2.config import get_cfg
    from detectron2.engine import DefaultPredictor

    config, weights = model
    check_teacher(str(config), teacher)
    tool = load_estimator(teacher, PoseSettings(flip=False))
    cfg = get_cfg()
    cfg.merge_from_file(str(config))
    cfg.MODEL.DEVICE, cfg.MODEL.WEIGHTS = "cpu", str(weights)
    predictor = DefaultPredictor(cfg)
    people = 0
    for image in photos():
        theirs = predictor(image[:, :, ::-1].copy())["instances"]
        corners = theirs.pred_boxes.tensor.numpy()
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        joints, expected = tool.estimate(image, boxes), theirs.pred_keypoints.numpy()
        assert len(np.unique(expected[..., :2].reshape(-1, 2), axis=0)) > len(expected)  # not one and the same place
        # detectron2's joints are half a pixel further, as it counts pixels from their corners.
        off = np.abs(joints[..., :2] + 0.5 - expected[..., :2]).max(axis=2)
        assert off.max() < 0.01
        np.testing.assert_allclose(joints[..., 2], expected[..., 2].clip(max=1), rtol=1e-3)
        people += len(boxes)
    assert people >= LEAST_PEOPLE


@with_detectron2
def test_the_flip_test_gives_a_mirrored_image_mirrored_joints(teacher):
    tool = load_estimator(teacher)
    assert tool.keypoint_set == "coco17" and tool.teacher_id.startswith("detectron2_keypoint_rcnn-")
    image = image_pixels(240, 320, seed=4)  # neither resized nor padded
    plain = tool.estimate(image, np.array([[40, 30, 100, 180]]))[0]
    mirrored = tool.estimate(np.ascontiguousarray(image[:, ::-1]), np.array([[180, 30, 100, 180]]))[0]
    swapped = mirrored[[0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]]
    assert (np.abs(319 - swapped[:, 0] - plain[:, 0]) < 1).mean() > 0.8
    np.testing.assert_allclose(swapped[:, 2], plain[:, 2], rtol=0.1)


@with_detectron2
def test_published_weights_are_those_of_the_model_zoo():
    found = published(CONFIG)
    assert found.urls[0].endswith("/COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x/137849621/model_final_a6e10b.pkl")
    assert found.checksums == {"md5": "a6e10b"}


@with_detectron2
def test_what_does_not_fit_is_told_in_one_line(model, teacher, tmp_path):
    with pytest.raises(DataError, match=r"MODEL\.KEYPOINT_ON is False, expected GeneralizedRCNN and True"):
        keypoint_config(MASKS)
    own = tmp_path / "feet.yaml"
    own.write_text(f"_BASE_: {model[0]}\nMODEL: {{ROI_KEYPOINT_HEAD: {{NUM_KEYPOINTS: 6}}}}\n")
    with pytest.raises(DataError, match=r"feet\.yaml: MODEL\.ROI_KEYPOINT_HEAD\.NUM_KEYPOINTS is 6, expected the 17"):
        keypoint_config(str(own))
    state = torch.load(model[1])["model"]
    del state["roi_heads.keypoint_head.score_lowres.weight"]
    torch.save({"model": state}, tmp_path / "part.pth")
    with pytest.raises(DataError, match=r"part\.pth: lacks 'roi_heads\.keypoint_head\.score_lowres\.weight'"):
        convert_weights(str(model[0]), tmp_path / "part.pth", tmp_path / "pose.safetensors")
    with pytest.raises(DataError, match=r"pose\.safetensors: its weights were made with another config than COCO-Key"):
        check_teacher(CONFIG, teacher)
