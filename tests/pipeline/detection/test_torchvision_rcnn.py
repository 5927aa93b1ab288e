"""The same people as torchvision's own forward gives, whichever the batch and the size of the image."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pipeline.detection.architectures import ARCHITECTURES
from pipeline.detection.mask_rcnn_basic import RcnnOptions
from pipeline.detection.torchvision_rcnn import TorchvisionDetector
from tests.pipeline.detection.builders import TINY, check_equal, forward, noise, tiny_network


@pytest.mark.parametrize("size", [(60, 83), (120, 40), (33, 500)])
def test_people_of_the_small_network_equal_torchvision_s_own_forward(size):
    network, image = tiny_network(), noise(*size)
    check_equal(TorchvisionDetector(network, "tiny").detect(image), forward(network, image), size)


def test_every_network_can_be_built_for_people_only():
    for name, known in ARCHITECTURES.items():
        with torch.device("meta"):
            network = known.build(known.options(), known.input)
        assert network.roi_heads.box_predictor.cls_score.out_features == 2, name
        assert network.roi_heads.score_thresh == 0.05


def test_people_come_by_falling_score_from_the_floor_up():
    people = TorchvisionDetector(tiny_network(), "tiny").detect(noise(60, 83))
    assert people.ids.tolist() == list(range(1, len(people) + 1))
    assert (np.diff(people.scores) <= 0).all()
    assert people.scores.min() >= 0.05
    assert people.keypoints is None


def test_on_the_cpu_a_result_does_not_depend_on_its_neighbours():
    detector = TorchvisionDetector(tiny_network(), "tiny")
    images = [noise(60, 83), noise(90, 41, seed=1), noise(40, 40, seed=2)]
    for people, image in zip(detector.detect_many(images), images, strict=True):
        alone = detector.detect(image)
        np.testing.assert_array_equal(people.boxes, alone.boxes)
        np.testing.assert_array_equal(people.scores, alone.scores)
        assert people.rles == alone.rles
    assert detector.detect_many([]) == []


def test_a_batch_finds_the_people_of_its_images_each_in_its_place():
    network = tiny_network()
    images = [noise(60, 83), noise(90, 41, seed=1), noise(40, 40, seed=2), noise(60, 80, seed=3)]
    single = TorchvisionDetector(network, "tiny").detect_many(images)
    for image, people, alone in zip(
        images, TorchvisionDetector(network, "tiny", batch_size=3).detect_many(images), single, strict=True
    ):
        assert len(people) == len(alone) > 0
        assert people.rles[0]["size"] == list(image.shape[:2])
        np.testing.assert_allclose(people.scores, alone.scores, atol=0.02)  # padding to the batch's sides is seen


def test_half_precision_leaves_the_people_where_they_are():
    image = noise(60, 83)
    exact = TorchvisionDetector(tiny_network(), "tiny").detect(image)
    rough = TorchvisionDetector(tiny_network(), "tiny", precision=torch.bfloat16).detect(image)
    assert len(rough) == len(exact) > 0
    np.testing.assert_allclose(rough.scores, exact.scores, atol=0.02)
    assert (rough.scores != exact.scores).any()
    assert np.abs(rough.boxes - exact.boxes).max() < 2


def test_memory_that_runs_out_halves_the_batch_and_the_people_are_the_same():
    images = [noise(60, 80, seed=seed) for seed in range(7)]
    expected = TorchvisionDetector(tiny_network(), "tiny").detect_many(images)
    network = tiny_network()
    sizes = run_out_of_memory_above(network, 2)
    detector = TorchvisionDetector(network, "tiny", batch_size=5)
    found = detector.detect_many(images)
    assert (detector.halvings, detector.batch_size, sizes) == (1, 2, [5, 2, 2, 2, 1])
    detector.detect_many(images[:2])
    assert (detector.halvings, sizes[5:]) == (1, [2])
    for people, alone in zip(found, expected, strict=True):
        assert len(people) == len(alone) > 0
        np.testing.assert_allclose(people.scores, alone.scores, atol=1e-5)
        np.testing.assert_allclose(people.boxes, alone.boxes, atol=1e-3)


def run_out_of_memory_above(network, most: int) -> list[int]:
    """Let the network's trunk fail as a GPU does on larger batches; the sizes of those that it is asked for."""
    sizes: list[int] = []
    forward = network.backbone.forward

    def _forward(batch):
        sizes.append(len(batch))
        if len(batch) > most:
            raise torch.OutOfMemoryError("out of memory")
        return forward(batch)

    network.backbone.forward = _forward
    return sizes


def test_nobody_is_a_result_as_well():
    network = tiny_network()
    network.roi_heads.box_predictor.cls_score.bias.data[0] += 50
    people = TorchvisionDetector(network, "tiny").detect(noise(60, 83))
    assert len(people) == 0 and people.boxes.shape == (0, 4)
    mixed = TorchvisionDetector(network, "tiny", batch_size=2).detect_many([noise(60, 83), noise(30, 40)])
    assert [len(people) for people in mixed] == [0, 0]


def test_sixty_people_are_sixty_people():
    network = tiny_network(options=RcnnOptions(**{**TINY.__dict__, "max_people": RcnnOptions().max_people}))
    network.roi_heads.nms_thresh = network.rpn.nms_thresh = 0.95  # boxes of random weights lie on each other
    people = TorchvisionDetector(network, "tiny").detect(noise(90, 120))
    assert len(people) >= 60
    assert people.ids.tolist() == list(range(1, len(people) + 1))
    assert all(people.mask(row).shape == (90, 120) for row in range(len(people)))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
def test_the_smallest_images_go_through(size):
    people = TorchvisionDetector(tiny_network(), "tiny").detect(noise(*size))
    assert all(people.mask(row).shape == size for row in range(len(people)))


LARGE = """
import resource, sys
import numpy as np
from pipeline.detection.torchvision_rcnn import TorchvisionDetector
from tests.pipeline.detection.builders import noise, tiny_network
image = np.tile(noise(90, 120), (100, 100, 1))
detector = TorchvisionDetector(tiny_network(), "tiny")
detector.detect(noise(90, 120))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
people = detector.detect(image)
assert image.shape == (9000, 12000, 3) and len(people) > 3
assert all(rle["size"] == [9000, 12000] for rle in people.rles)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_an_image_of_12000_by_9000_takes_little_more_than_one_plane_of_it():
    # A plane of it is 412 MiB of floats, all three are 1.2 GiB, and six people's float maps would be 2.4 GiB.
    grown = float(subprocess.run([sys.executable, "-c", LARGE], check=True, capture_output=True, text=True).stdout)
    assert grown < 1200


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_anything_but_an_rgb_image_is_refused(image):
    detector = TorchvisionDetector(tiny_network(), "tiny")
    with pytest.raises(ValueError, match=r"image: .* of shape \(.*\), expected uint8 \(H, W, 3\)"):
        detector.detect(image)
