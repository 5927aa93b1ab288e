"""The pose network: results independent of company, the flip test, files that cannot be mistaken."""

import numpy as np
import pytest
import torch

from pipeline.errors import DataError
from pipeline.pose import load_network
from pipeline.pose.base import PoseSettings
from pipeline.pose.crop_estimator import CropEstimator
from pipeline.pose.crops import crop_matrix, warp_crop
from pipeline.pose.loading import load_estimator
from pipeline.pose.simple_baseline import ARCHITECTURE, PoseOptions, SimpleBaseline, input_tensor
from pipeline.taxonomy import KEYPOINT_SETS
from pipeline.teacher_file import InputSpec, write_teacher

TINY = PoseOptions(widths=(8, 16), blocks=(1, 1), deconv_widths=(8,))
SPEC = InputSpec(size=(32, 24))


def tiny_network() -> SimpleBaseline:
    torch.manual_seed(3)
    network = SimpleBaseline(TINY)
    torch.nn.init.normal_(network.head.weight, std=0.5)
    return network.eval()


def estimator(flip: bool = True, batch_size: int = 4) -> CropEstimator:
    return CropEstimator(tiny_network(), SPEC, TINY, "tiny", PoseSettings(flip), batch_size=batch_size)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (60, 83, 3), dtype=np.uint8)


BOXES = np.array([[4, 5, 30, 40], [20, 1, 25, 50], [40, 10, 40, 30], [1, 1, 20, 20], [9, 9, 50, 40]], np.float32)


def test_a_joint_is_the_peak_of_its_map_in_image_pixels(image):
    tool = estimator(flip=False)
    crop = warp_crop(image, crop_matrix(BOXES[0], SPEC.size), SPEC.size)
    with torch.inference_mode():
        maps = tool.network(input_tensor(crop[None], SPEC))[0].numpy()
    assert maps.shape == (17, 8, 6)
    row, column = np.unravel_index(maps[3].argmax(), (8, 6))
    joint = tool.estimate(image, BOXES[:1])[0, 3]
    # Stride 4; the box 30 x 40 becomes 37.5 x 50 image pixels on 24 x 32 input pixels: 1.5625 image pixels each.
    x = 4 + 14.5 + ((column + 0.5) * 4 - 12) * 1.5625
    y = 5 + 19.5 + ((row + 0.5) * 4 - 16) * 1.5625
    assert abs(joint[0] - x) <= 0.25 * 4 * 1.5625 + 1e-4
    assert abs(joint[1] - y) <= 0.25 * 4 * 1.5625 + 1e-4
    assert joint[2] == pytest.approx(np.clip(maps[3].max(), 0, 1), abs=1e-6)


def test_a_person_s_joints_do_not_depend_on_the_others(image):
    tool = estimator()
    together = tool.estimate(image, BOXES)
    assert together.shape == (5, 17, 3)
    assert together.dtype == np.float32
    for row, box in enumerate(BOXES):
        np.testing.assert_array_equal(tool.estimate(image, box[None])[0], together[row])
    several = tool.estimate_many([image, image, image], [BOXES[:2], np.zeros((0, 4)), BOXES[2:]])
    assert [len(joints) for joints in several] == [2, 0, 3]
    np.testing.assert_array_equal(np.concatenate(several), together)


def test_no_people_and_no_images(image):
    assert estimator().estimate(image, np.zeros((0, 4))).shape == (0, 17, 3)
    assert estimator().estimate_many([], []) == []


def test_the_flip_test_is_the_mean_of_both_views(image):
    crops = np.stack([image[:32, :24]] * 4)
    plain = estimator(flip=False)
    swap = KEYPOINT_SETS["coco17"].hflip_index
    mirrored = plain.heatmaps(np.ascontiguousarray(crops[:, :, ::-1]))[:, swap, :, ::-1]
    np.testing.assert_allclose(estimator().heatmaps(crops), (plain.heatmaps(crops) + mirrored) / 2, atol=1e-5)


def test_a_mirrored_image_gives_mirrored_joints(image):
    tool = estimator()
    boxes = BOXES.copy()
    boxes[:, 0] = 83 - BOXES[:, 0] - BOXES[:, 2]
    plain, mirrored = tool.estimate(image, BOXES), tool.estimate(np.ascontiguousarray(image[:, ::-1]), boxes)
    mirrored = mirrored[:, KEYPOINT_SETS["coco17"].hflip_index]
    # cv2 interpolates on a grid of 1/32 pixel, so a joint may come out otherwise where two cells nearly tie.
    same = np.isclose(82 - mirrored[..., 0], plain[..., 0], atol=1e-2) & np.isclose(
        mirrored[..., 1], plain[..., 1], atol=1e-2
    )
    assert same.mean() > 0.9


def test_what_is_no_image_or_no_boxes_is_named(image):
    with pytest.raises(ValueError, match=r"boxes: shape \(4,\), expected \(N, 4\)"):
        estimator().estimate(image, BOXES[0])
    with pytest.raises(ValueError, match=r"image: float64 of shape"):
        estimator().estimate(image.astype(float), BOXES)


def test_load_network_gives_the_module(tmp_path, image):
    path = tmp_path / "pose.safetensors"
    write_teacher(path, tiny_network(), ARCHITECTURE, TINY, SPEC)
    network = load_network(path)
    assert not network.training
    assert network(torch.zeros(2, 3, 32, 24)).shape == (2, 17, 8, 6)
    tool = load_estimator(path, PoseSettings(flip=False))
    assert (tool.keypoint_set, tool.spec, tool.settings.flip) == ("coco17", SPEC, False)
    assert tool.teacher_id.startswith("simple_baseline_basic-")


def test_the_memory_format_of_the_weights_leaves_no_trace(tmp_path):
    network = tiny_network()
    write_teacher(tmp_path / "plain", network, ARCHITECTURE, TINY, SPEC)
    write_teacher(tmp_path / "last", network.to(memory_format=torch.channels_last), ARCHITECTURE, TINY, SPEC)
    assert (tmp_path / "last").read_bytes() == (tmp_path / "plain").read_bytes()
    loaded = load_network(tmp_path / "last").state_dict()["trunk.conv1.weight"]
    torch.testing.assert_close(loaded, network.state_dict()["trunk.conv1.weight"], rtol=1e-3, atol=1e-4)


def test_a_detector_s_file_is_refused(tmp_path):
    path = tmp_path / "detector.safetensors"
    write_teacher(path, tiny_network(), "mask_rcnn_basic", TINY, SPEC)
    with pytest.raises(
        DataError,
        match="holds the weights of 'mask_rcnn_basic', expected 'simple_baseline_basic'",
    ):
        load_network(path)


def test_unknown_options_are_refused(tmp_path):
    path = tmp_path / "pose.safetensors"
    write_teacher(path, tiny_network(), ARCHITECTURE, SPEC, SPEC)
    with pytest.raises(DataError, match=r"pose.safetensors: options of simple_baseline_basic do not fit"):
        load_network(path)
