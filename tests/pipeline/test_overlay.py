import numpy as np

from pipeline.overlay import (
    contact_sheet,
    legend,
    overlay_edges,
    overlay_heatmaps,
    overlay_keypoints,
    overlay_mask,
    sample_tiles,
)
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests import builders
from tests.trainer.builders import make_sample

LIP, LIP16 = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]


def test_background_stays_and_parts_take_their_colour():
    image = builders.image_pixels(4, 4)
    mask = np.zeros((4, 4), np.uint8)
    mask[1], mask[2] = 5, 255
    drawn = overlay_mask(image, mask, LIP, alpha=1)
    assert np.array_equal(drawn[[0, 3]], image[[0, 3]])
    assert (drawn[1] == LIP.palette[5]).all() and (drawn[2] == 128).all()


def test_edges_are_white_on_the_dark_image():
    image = builders.image_pixels(4, 4)
    edge = np.eye(4, dtype=np.uint8)
    drawn = overlay_edges(image, edge)
    assert (drawn[edge == 1] == 255).all() and drawn[edge == 0].max() <= 85


def test_missing_joints_are_not_drawn_and_present_ones_lie_at_their_place():
    image = np.full((40, 40, 3), 99, np.uint8)
    keypoints = np.zeros((16, 3), np.float32)
    assert np.array_equal(overlay_keypoints(image, keypoints, LIP16), image)
    keypoints[9] = (30, 10, 2)
    changed = np.argwhere((overlay_keypoints(image, keypoints, LIP16, scale=2) != 99).any(axis=2))
    np.testing.assert_allclose(changed.mean(axis=0), [20.5, 60.5], atol=1)


def test_heatmaps_come_back_to_the_place_of_their_joint():
    image = np.zeros((40, 40, 3), np.uint8)
    heatmaps = np.zeros((1, 10, 10), np.float16)
    heatmaps[0, 2, 7] = 1
    drawn = overlay_heatmaps(image, heatmaps, np.array([[1.0, 0, 0], [0, 1, 0]]), stride=4)
    y, x = np.unravel_index(drawn.sum(axis=2).argmax(), (40, 40))
    assert abs(x - 28) <= 1 and abs(y - 8) <= 1


def test_a_sheet_has_a_tile_for_every_label_that_is_there():
    whole = sample_tiles(make_sample(0), LIP, LIP16)
    bare = sample_tiles(make_sample(1, keypoints=False, masked=False), LIP, LIP16)
    assert list(whole) == ["image", "parts", "joints"] and list(bare) == ["image"]
    sheet = contact_sheet([("a", whole), ("b", bare)], tile_hw=(50, 40))
    assert sheet.shape == (2 * (50 + 18 + 6) + 6, 3 * (40 + 6) + 6, 3)
    assert (sheet[-40:, -40:] == 245).all() and (sheet != 245).any()


def test_the_legend_shows_every_class():
    strip = legend(LIP, 460)
    assert strip.shape[1] == 460
    for colour in LIP.palette[1:20]:
        assert (strip == colour).all(axis=2).any()
