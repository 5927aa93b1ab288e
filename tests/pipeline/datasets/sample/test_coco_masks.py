import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pipeline.datasets.sample.coco_layout import COCO
from pipeline.datasets.sample.coco_masks import mask_counts, mask_polygons
from pipeline.datasets.sample.layout import mask_box
from pipeline.datasets.sample.scene import draw_scene


def rasterised(segmentation, shape):
    runs = coco_mask.frPyObjects(segmentation, *shape)
    return coco_mask.decode(coco_mask.merge(runs) if isinstance(runs, list) else runs).astype(bool)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def masks():
    scenes = [draw_scene(np.random.default_rng([1, index]), (192, 256), 3) for index in range(6)]
    return [scene.people == person for scene in scenes for person in range(1, len(scene.joints) + 1)]


def test_polygons_give_large_people_back(masks):
    large = [mask for mask in masks if mask.sum() > 1000]
    assert len(large) >= 6
    assert min(overlap(mask, rasterised(mask_polygons(mask), mask.shape)) for mask in large) >= 0.97


def test_polygons_give_small_pieces_back():
    for rows, cols in ((1, 1), (1, 5), (3, 3)):
        mask = np.zeros((20, 20), dtype=bool)
        mask[4 : 4 + rows, 6 : 6 + cols] = True
        assert np.array_equal(rasterised(mask_polygons(mask), mask.shape), mask)


def test_holes_stay_open():
    mask = np.zeros((40, 40), dtype=bool)
    mask[5:35, 5:35] = True
    mask[12:20, 8:16] = False
    mask[12:20, 22:30] = False
    assert np.array_equal(rasterised(mask_polygons(mask), mask.shape), mask)


@pytest.mark.parametrize("first", [False, True])
def test_counts_give_the_mask_back(first):
    mask = np.random.default_rng(2).random((13, 17)) < 0.4
    mask[0, 0] = first
    counts = mask_counts(mask)
    assert sum(counts) == mask.size
    assert np.array_equal(rasterised({"counts": counts, "size": list(mask.shape)}, mask.shape), mask)


def test_box_covers_first_to_last_pixel():
    mask = np.zeros((10, 12), dtype=bool)
    mask[2:5, 3:9] = True
    assert mask_box(mask) == (3, 2, 6, 3)


def test_annotations_agree_with_their_own_masks():
    crowds = 0
    for index in range(14):
        image, annotations = COCO.draw(np.random.default_rng([9, index]), "train", index).record
        for annotation in annotations:
            found = rasterised(annotation["segmentation"], (image["height"], image["width"]))
            crowds += annotation["iscrowd"]
            assert isinstance(annotation["segmentation"], dict) == bool(annotation["iscrowd"])
            if annotation["area"] > 1000:
                assert found.sum() == pytest.approx(annotation["area"], rel=0.03)
                assert np.allclose(mask_box(found), annotation["bbox"], atol=3)
    assert crowds > 0
