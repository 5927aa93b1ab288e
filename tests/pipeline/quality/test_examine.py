"""Single records: what the checks find of their people, by hand."""

import numpy as np
import pytest

from pipeline.quality.examine import Examiner, Rules
from pipeline.quality.regions import person_region
from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests import builders

LIP, COCO17 = LABEL_SETS["lip"], KEYPOINT_SETS["coco17"]
RULES = Rules(keypoint_tolerance=0.25, small_mask_px=4)


def area(rows, columns, height=12, width=8):
    mask = np.zeros((height, width), np.uint8)
    mask[rows, columns] = 1
    return mask


TOP, BOTTOM = area(slice(0, 6), slice(0, 8)), area(slice(8, 12), slice(0, 4))


def keypoints(*rows):
    return [np.array([*rows, *[(0, 0, 0)] * (17 - len(rows))], np.float32)]


def found(record, rules=RULES, names=COCO17, **options):
    return {one.check: one.reason for one in Examiner.of(LIP, names, rules)(record, **options)}


def test_a_person_is_its_mask_else_the_labelled_pixels_of_its_image_else_its_box():
    mask = TOP * 5
    own = People.build([1], [(0, 0, 8, 12)], rles=[encode_rle(BOTTOM > 0)])
    region = person_region(builders.record(mask=mask, people=own), mask, 0)
    assert np.array_equal(region.extent, BOTTOM > 0) and not region.labelled.any() and region.size_px == 4
    whole = People.build([1], [(0, 0, 8, 12)])
    region = person_region(builders.record(mask=mask, people=whole), mask, 0)
    assert np.array_equal(region.extent, TOP > 0) and np.array_equal(region.labelled, TOP > 0) and region.size_px == 8
    boxed = People.build([1], [(2, 4, 3, 7)])
    region = person_region(builders.record(mask=mask, people=boxed), mask, 0)
    assert np.array_equal(np.argwhere(region.extent)[[0, -1]], [[4, 2], [10, 4]]) and region.labelled.sum() == 2 * 3
    region = person_region(builders.record(people=whole), None, 0)
    assert region.extent is None and region.labelled is None and region.size_px == 0


def test_ignored_pixels_are_not_labelled():
    mask = TOP * 255
    region = person_region(builders.record(mask=mask, people=People.build([1], [(0, 0, 8, 12)])), mask, 0)
    assert not region.labelled.any()


def test_a_clean_record_has_no_finding():
    record = builders.record(mask=TOP * 5, people=People.build([1], [(0, 0, 8, 12)], keypoints=keypoints((3, 3, 2))))
    assert found(record) == {}


def test_people_of_nothing_are_empty_and_of_little_are_small():
    people = People.build([1, 2, 3], [(0, 0, 8, 6), (0, 7, 8, 5), (1, 1, 3, 1)])
    text = found(builders.record(mask=TOP * 5, people=people))
    assert text == {
        "empty_people": "toy/a.b_1: person 2: not one labelled pixel and no keypoint",
        "small_masks": "toy/a.b_1: person 3: 3 labelled pixels",
    }


def test_people_of_whom_only_the_box_is_known_are_as_large_as_that():
    people = People.build([1, 2, 3], [(2, 2, 0, 0), (1, 1, 1, 1), (1, 1, 4, 4)])
    assert found(builders.record(people=people)) == {
        "empty_people": "toy/a.b_1: person 1: not one pixel and no keypoint",
        "small_masks": "toy/a.b_1: person 2: 1 pixel",
    }


def test_keypoints_alone_make_a_person_that_is_small():
    people = People.build([1], [(0, 0, 8, 12)], keypoints=keypoints((3, 3, 2)))
    text = found(builders.record(mask=TOP * 0, people=people))
    assert text == {"small_masks": "toy/a.b_1: 0 labelled pixels"}
    text = found(builders.record(mask=BOTTOM * 255, people=people))
    assert text == {"small_masks": "toy/a.b_1: 0 labelled pixels; 16 are 255, which is ignored"}


def test_photos_without_labels_and_images_without_people_are_nothing_to_find():
    assert found(builders.record(people=People.build([1], [(0, 0, 8, 12)]))) == {}
    assert found(builders.record(mask=TOP * 0)) == {}


def test_crowds_are_not_judged():
    crowd = People.build([1], [(0, 0, 0, 0)], crowd=[True], keypoints=keypoints((50, 50, 2)))
    assert found(builders.record(mask=TOP * 0, people=crowd)) == {}


def test_stray_keypoints_are_named_with_their_places():
    people = People.build([1], [(0, 0, 8, 12)], keypoints=keypoints((30, 3.5, 2), (3, 9, 2), (3, 3, 2)))
    text = found(builders.record(mask=TOP * 5, people=people))
    assert text == {
        "keypoints_outside_image": "toy/a.b_1: nose at (30, 3.5) outside the image of 8x12",
        "keypoints_outside_person": "toy/a.b_1: left-eye at (3, 9) 4 px outside the person of 8 px",
    }
    # Four pixels are half of the person's eight.
    assert "keypoints_outside_person" not in found(builders.record(mask=TOP * 5, people=people), Rules(0.5, 4))
    assert "keypoints_outside_person" not in found(builders.record(mask=TOP * 5, people=people), hidden_told=False)
    assert "keypoint 0 at (30, 3.5)" in found(builders.record(mask=TOP * 5, people=people), names=None)[
        "keypoints_outside_image"
    ]  # fmt: skip


def test_only_a_persons_own_limbs_are_set_against_its_joints():
    """Two people side by side, the second one mirrored: mixed up, the limbs would contradict the joints."""
    parts = np.zeros((40, 80), np.uint8)
    parts[:, 2:8], parts[:, 30:36] = LIP.id("right-leg"), LIP.id("left-leg")
    parts[:, 44:50], parts[:, 72:78] = LIP.id("left-leg"), LIP.id("right-leg")
    ids = np.zeros((40, 80), np.uint8)
    ids[:, :40], ids[:, 40:] = 1, 2
    first, second = np.zeros((17, 3), np.float32), np.zeros((17, 3), np.float32)
    left, right = COCO17.keypoint_names.index("left-ankle"), COCO17.keypoint_names.index("right-ankle")
    first[right], first[left], second[left], second[right] = (5, 35, 2), (33, 35, 2), (47, 35, 2), (75, 35, 2)
    image = builders.image_pixels(40, 80)

    def record(*joints):
        mapped = People.from_id_map(ids)
        people = People.build(mapped.ids, mapped.boxes, rles=mapped.rles, keypoints=joints)
        return builders.record(image=image, mask=parts, people=people)

    assert found(record(first, second)) == {}
    exchanged = second[COCO17.hflip_index]
    text = found(record(first, exchanged))
    assert list(text) == ["left_right_contradictions"]
    assert text["left_right_contradictions"].startswith(
        "toy/a.b_1: person 2: left and right ankle lie on each other's limb of the mask. One of the two labels"
    )


def test_many_people_are_told_in_short():
    people = People.build(range(1, 6), [(0, 8, 2, 2)] * 5)
    text = found(builders.record(mask=TOP * 5, people=people))["empty_people"]
    assert text.count("not one labelled pixel") == 3 and text.endswith("; and 2 more people")


@pytest.mark.parametrize("name, smoothed", [("lip", True), ("person", False)])
def test_masks_of_two_classes_have_no_ids_in_between(name, smoothed):
    mask = np.tile(np.array([0, 0, 0, 1, 2, 2, 2, 2], np.uint8), (60, 1))
    record = builders.record(image=builders.image_pixels(60, 8), mask=mask)
    checks = [one.check for one in Examiner.of(LABEL_SETS[name], None, RULES)(record)]
    assert checks == ["smoothed_masks"] * smoothed
