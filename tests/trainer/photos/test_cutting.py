"""People cut out and put back: hand-made scenes, and annotated people of published photos."""

import numpy as np
import pytest

from pipeline.datasets.coco import coco_items
from pipeline.datasets.layout import read_item
from pipeline.detection.annotated import annotated_people
from pipeline.images import decode_image
from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.shards.step import ShardReport
from pipeline.sources.archives import Archives
from pipeline.steps.cutting import CutRules
from pipeline.taxonomy import LABEL_SETS
from tests import builders
from tests.trainer.photos.builders import scene
from trainer.photos.cutting import cut_people, photo_record, put_back, scene_of, whole_photo

RULES = CutRules("black", 0, 0, 0.2)
COCO = builders.REAL / "coco"


def cut(image, people, rules=RULES, report=None):
    record = photo_record("a", b"", image)
    return cut_people(scene_of(record, image, people, {}), rules, report or ShardReport())


def two_squares():
    """Two people of 10 x 10 pixels who share 4 columns; the second is the surer one."""
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 5:15, 4:14], masks[1, 5:15, 10:20] = True, True
    boxes = [[4, 5, 10, 10], [10, 5, 10, 10]]
    people = People.build([1, 2], boxes, scores=[0.6, 0.9], rles=[encode_rle(mask) for mask in masks])
    return masks, people


def test_overlapping_people_share_no_pixel_and_the_surer_one_has_it():
    _, people = two_squares()
    image = np.full((20, 30, 3), 200, np.uint8)
    cuts = cut(image, people)
    back = put_back(
        cuts, [np.full(one.figure.shape, label, np.uint8) for one, label in zip(cuts, (5, 6), strict=True)], (20, 30)
    )
    assert [one.to_source[:, 2].tolist() for one in cuts] == [[3, 4], [9, 4]]  # a tenth of the box on every side
    # Columns 3 ... 14 are the first crop's, 9 ... 20 the second's, whose figure begins at 10. What both claim and no figure
    # holds, and what both figures hold, is the second's; column 9 is held by the first one's figure alone.
    first, second = np.zeros((12, 12), bool), np.ones((12, 12), bool)
    first[:, :6] = first[1:11, 6] = True
    second[1:11, 0] = False
    assert np.array_equal(back[0] == 5, first) and np.array_equal(back[1] == 6, second)


def test_other_people_are_painted_over_and_small_ones_are_told():
    masks, people = two_squares()
    image = np.full((20, 30, 3), 200, np.uint8)
    first, _ = cut(image, people)
    assert (first.image[2:10, 11] < 60).all() and (first.image[2:10, 5] > 150).all()  # only the other's; JPEG
    assert np.array_equal(first.figure, masks[0, 4:16, 3:15])
    report = ShardReport()
    assert cut(image, people, CutRules("black", 0, 101, 0.2), report) == []
    assert [one.sample_id for one in report.outcomes] == ["a_1", "a_2"] and "100 pixels" in report.outcomes[0].reason


def test_the_whole_photo_is_one_person_and_comes_back_as_it_is():
    image = builders.image_pixels(9, 7)
    one = whole_photo(image)
    labels = np.random.default_rng(0).integers(0, 20, (9, 7)).astype(np.uint8)
    (back,) = put_back([one], [labels], (9, 7))
    assert np.array_equal(back, labels) and one.score == 1 and one.box.tolist() == [0, 0, 7, 9]


def test_nobody_is_nobody():
    assert cut(builders.image_pixels(9, 7), People.empty()) == [] and put_back([], [], (9, 7)) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_annotated_parts_come_back_exactly(seed):
    image, parts, ids = scene(seed, 4)
    cuts = cut(image, People.from_id_map(ids))
    windows = [
        tuple(slice(int(o), int(o) + n) for o, n in zip(c.to_source[::-1, 2], c.figure.shape, strict=True))
        for c in cuts
    ]
    back = put_back(cuts, [np.where(c.figure, parts[w], 0) for c, w in zip(cuts, windows, strict=True)], ids.shape)
    whole = np.zeros_like(parts)
    for own, window in zip(back, windows, strict=True):
        whole[window] += own
    assert np.array_equal(whole, np.where(ids > 0, parts, 0))


@pytest.mark.skipif(not COCO.is_dir(), reason=f"no real samples at {COCO}")
def test_annotated_masks_of_published_photos_come_back(tmp_path):
    files = {path.name: path.read_bytes() for path in sorted(COCO.glob("*.jpg"))}
    builders.write_coco(tmp_path, files, (COCO / "person_keypoints.json").read_bytes())
    archives, ious = Archives(tmp_path), []
    for item in coco_items(archives, "val"):
        record = read_item(archives, item, "coco", "val", LABEL_SETS["person"])
        image, people = decode_image(record.image, record.path), annotated_people(record)
        cuts = cut(image, people)
        back = put_back(cuts, [one.figure.astype(np.uint8) for one in cuts], image.shape[:2])
        assert len(cuts) == len(people)
        taken = np.zeros(image.shape[:2], int)
        for index, (one, own) in enumerate(zip(cuts, back, strict=True)):
            x, y = one.to_source[:, 2].astype(int)
            mask = np.zeros(image.shape[:2], bool)
            mask[y : y + own.shape[0], x : x + own.shape[1]] = own > 0
            taken += mask
            left, top, width, height = people.boxes[index]
            rows, columns = np.nonzero(mask)
            assert columns.min() >= np.floor(left) and columns.max() <= np.ceil(left + width)
            assert rows.min() >= np.floor(top) and rows.max() <= np.ceil(top + height)
            truth = people.mask(index)
            ious.append((mask & truth).sum() / (mask | truth).sum())
        assert taken.max() == 1
    assert len(ious) == 6 and min(ious) >= 0.995
