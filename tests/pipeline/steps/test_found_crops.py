"""Crops of found people on a scene small enough to count by hand."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.rows import sample_from_row
from pipeline.steps.crop import Selection, annotated_step, found_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.detecting import RawPeople
from tests import builders

HEIGHT, WIDTH = 40, 60
RULES = {"others": "black", "others_label": 0, "min_area": 0, "expand": 0.0}


def block(rows, columns):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


# Annotated: person 3 and person 7 touch, person 9 stands apart, a crowd on the right.
THREE, SEVEN, NINE = block((5, 35), (4, 14)), block((5, 35), (14, 24)), block((5, 15), (30, 40))
CROWD = block((0, 40), (50, 60))
IDS = np.select([THREE, SEVEN, NINE], [3, 7, 9], 0).astype(np.uint8)
PARTS = np.select([THREE, SEVEN, NINE, CROWD], [5, 6, 7, 255], 0).astype(np.uint8)


class FixedDetector:
    teacher_id = "fixed"
    halvings = 0

    def __init__(self, *found):
        self.found = found

    def detect_many(self, images):
        boxes = [People.from_id_map(mask.astype(np.uint8)).boxes[0] for _, mask in self.found]
        people = People.build(
            range(1, len(boxes) + 1), boxes, scores=[score for score, _ in self.found],
            rles=[encode_rle(mask) for _, mask in self.found],
        )  # fmt: skip
        return [people for _ in images]


def scene(people=None, people_map=IDS, mask=PARTS):
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    if people is None:
        base = People.from_id_map(IDS)
        boxes, rles = [*base.boxes, (50, 0, 10, 40)], [*base.rles, encode_rle(CROWD)]
        keypoints = np.zeros((4, 17, 3), np.float32)
        keypoints[:, 0] = [(6, 8, 2), (15, 8, 2), (33, 8, 1), (0, 0, 0)]
        people = People.build([3, 7, 9, 10], boxes, crowd=[0, 0, 0, 1], rles=rles, keypoints=keypoints)
    return builders.record("im", image, mask, people_map, people)


def cut(folder, record, *found, mask_nms=1.0, **rules):
    path = builders.write_records(folder / "images.parquet", [record])
    raw_people = RawPeople(FixedDetector(*found), folder / "scratch")
    step = found_step(CutRules(**{**RULES, **rules}), Selection(0.3, mask_nms), raw_people, 2)
    data, report = step.work((path,))
    return {s.sample_id: s for s in map(sample_from_row, pq.read_table(io.BytesIO(data)).to_pylist())}, report


# By falling score: person 7; person 3 without their lower rows; those rows with some more above, IoU 1/3 with the first;
# a wall; half of the crowd.
FOUND = [
    (0.9, SEVEN),
    (0.8, block((5, 25), (4, 14))),
    (0.7, block((20, 35), (4, 14))),
    (0.6, block((30, 40), (40, 48))),
    (0.5, block((0, 20), (50, 60))),
]


def test_everyone_annotated_and_everyone_found_is_counted_once(tmp_path):
    samples, report = cut(tmp_path, scene(), *FOUND)
    counts = {name: report.counts[name] for name in ("detections", "matched", "false", "ignored", "missed", "doubles")}
    assert counts == {"detections": 5, "matched": 2, "false": 2, "ignored": 1, "missed": 1, "doubles": 1}
    assert report.records == 2 and list(samples) == ["im_7", "im_3"]
    assert {(one.sample_id, one.reason) for one in report.outcomes} == {
        ("im#9", "an annotated person whom the detector missed"),
        ("im@3", "one of several detections on annotated person 3"),
        ("im@4", "a detection without an annotated person"),
        ("im@5", "a detection in a crowd region, or on a person of whom only the box is known"),
    }
    # 300 of 300, and 200 of 300 pixels.
    assert report.counts["iou_sum"] == pytest.approx(1 + 2 / 3) and report.counts["mask_matched"] == 2
    assert (report.counts["large"], report.counts["large_found"]) == (3, 2)


def test_mask_nms_takes_doubles_away_before_anyone_counts_them(tmp_path):
    shifted = [(0.9, SEVEN), (0.8, block((6, 35), (14, 24)))]
    _, report = cut(tmp_path / "a", scene(), *shifted)
    assert (report.counts["doubles"], report.counts["false"], report.counts["detections"]) == (1, 1, 2)
    _, report = cut(tmp_path / "b", scene(), *shifted, mask_nms=0.5)
    assert (report.counts["doubles"], report.counts["false"], report.counts["detections"]) == (0, 0, 1)


def test_a_found_person_has_the_id_and_the_joints_of_the_annotated_one(tmp_path):
    samples, _ = cut(tmp_path, scene(), *FOUND)
    seven = samples["im_7"]
    assert seven.person == 7 and seven.score == pytest.approx(0.9) and seven.keypoints[0].tolist() == [1, 3, 2]
    assert seven.box.tolist() == [14, 5, 10, 30] and set(np.unique(seven.decode_people())) == {7}
    assert set(np.unique(seven.decode_mask())) == {6}
    three = samples["im_3"]
    assert three.person == 3 and three.keypoints[0].tolist() == [2, 3, 2]


def test_a_second_mask_on_a_body_paints_nothing_of_it_over(tmp_path):
    # The window is the box of the first mask, rows 5 ... 24; the second mask covers its rows 20 ... 24 and below.
    samples, _ = cut(tmp_path, scene(), *FOUND, expand=1.0)
    three = samples["im_3"]
    x, y = three.to_source[:, 2].astype(int)
    region = IDS[y : y + three.height, x : x + three.width]
    assert (region == 3).sum() == 300
    assert np.array_equal(three.decode_people(), np.where(region == 3, 3, 0))
    assert (three.decode_mask()[region == 3] == 5).all()
    assert three.decode_image()[region == 3].min() > 150
    # Person 7 is another person: painted over.
    assert (three.decode_mask()[region == 7] == 0).all() and three.decode_image()[region == 7].mean() < 15


def test_a_missed_person_in_the_picture_is_not_learned(tmp_path):
    samples, _ = cut(tmp_path, scene(), (0.9, SEVEN), expand=2.0)
    seven = samples["im_7"]
    x, y = seven.to_source[:, 2].astype(int)
    region = IDS[y : y + seven.height, x : x + seven.width]
    assert {3, 9} <= set(np.unique(region))
    assert (seven.decode_mask()[(region == 3) | (region == 9)] == 255).all()
    assert np.array_equal(seven.decode_people(), region)  # they stay, with their ids
    assert seven.decode_image().min() > 150


def test_kept_people_stay_and_are_not_learned(tmp_path):
    samples, _ = cut(tmp_path, scene(), *FOUND, expand=1.0, others="keep", others_label=255)
    three = samples["im_3"]
    x, y = three.to_source[:, 2].astype(int)
    region = IDS[y : y + three.height, x : x + three.width]
    assert np.array_equal(three.decode_people(), region) and 7 in region
    assert (three.decode_mask()[region == 7] == 255).all() and (three.decode_mask()[region == 3] == 5).all()
    assert three.decode_image()[region == 7].min() > 150


def test_people_of_a_set_without_ids_are_those_found(tmp_path):
    overlapping = block((5, 35), (10, 20))
    found = [(0.9, SEVEN), (0.8, overlapping)]
    samples, report = cut(tmp_path, scene(People.empty(), None), *found)
    assert [sample.person for sample in samples.values()] == [1, 2] and report.records == 2 and not report.outcomes
    first, second = samples["im_1"], samples["im_2"]
    # Where both claim a pixel it is the crop's own.
    assert (first.decode_people() == 1).all() and (second.decode_people() == 2).all()
    assert first.keypoints is None and report.counts["detections"] == 2 and "matched" not in report.counts


def test_masks_in_lists_are_ids_even_without_a_map(tmp_path):
    samples, report = cut(tmp_path, scene(people_map=None), *FOUND)
    assert list(samples) == ["im_7", "im_3"] and report.counts["missed"] == 1
    assert set(np.unique(samples["im_7"].decode_people())) == {7}
    mapped, _ = cut(tmp_path / "map", scene(), *FOUND)
    assert all(samples[name].mask == mapped[name].mask for name in samples)


def test_a_box_alone_is_matched_by_the_box(tmp_path):
    people = People.build([4], [[14, 5, 10, 28]], keypoints=np.full((1, 17, 3), 20, np.float32))
    samples, report = cut(tmp_path, scene(people, None), (0.9, SEVEN), (0.8, NINE))
    assert list(samples) == ["im_1"] and samples["im_1"].person == 1
    assert samples["im_1"].keypoints[0].tolist() == [6, 15, 20]
    assert report.counts["box_iou_sum"] == pytest.approx(280 / 300) and report.counts["false"] == 1
    assert [one.sample_id for one in report.outcomes] == ["im@2"]


def test_a_person_whose_mask_is_not_known_is_counted(tmp_path):
    base = People.from_id_map(np.where(IDS == 7, 7, 0).astype(np.uint8))
    people = People.build([7, 8], [*base.boxes, (30, 5, 10, 10)], rles=[*base.rles, None])
    _, report = cut(tmp_path, scene(people, np.where(IDS == 7, 7, 0).astype(np.uint8)), (0.9, SEVEN), (0.8, NINE))
    counts = {name: report.counts[name] for name in ("matched", "missed", "box_only", "false", "ignored")}
    assert counts == {"matched": 1, "missed": 0, "box_only": 1, "false": 0, "ignored": 1}
    assert [one.sample_id for one in report.outcomes] == ["im#8", "im@2"]


def test_small_people_are_counted_and_listed(tmp_path):
    samples, report = cut(tmp_path, scene(), (0.9, SEVEN), (0.8, NINE), min_area=101)
    assert list(samples) == ["im_7"] and report.counts["small"] == 1 and report.counts["matched"] == 2
    assert ("im_9", "100 pixels, crop.min_area is 101") in {(one.sample_id, one.reason) for one in report.outcomes}


def test_crops_cut_by_annotation_are_not_keyed_by_the_detectors_limits(tmp_path):
    rules, raw_people = CutRules(**RULES), RawPeople(FixedDetector(), tmp_path)
    assert set(annotated_step(rules, 2).parameters) == {"people", "rules", "detector", "row_group"}
    assert set(annotated_step(rules, 2).parameters["rules"]) == {"others", "others_label", "min_area", "expand"}
    strict, loose = (found_step(rules, Selection(score, 0.5), raw_people, 2).parameters for score in (0.9, 0.1))
    assert strict != loose and strict["selection"] == {"score": 0.9, "mask_nms": 0.5}


def test_sixty_people_are_sixty_crops(tmp_path):
    found = [(0.9 - number / 200, block((4 * (number // 15), 4 * (number // 15) + 3), (4 * (number % 15), 4 * (number % 15) + 3))) for number in range(60)]  # fmt: skip
    samples, report = cut(tmp_path, scene(People.empty(), None), *found, expand=1.0)
    assert report.records == 60 and [sample.person for sample in samples.values()] == list(range(1, 61))
    corner = samples["im_17"]  # second row, second column: its box and a pixel and a half around it
    assert (corner.to_source[:, 2].tolist(), corner.width, corner.height) == ([2, 2], 7, 7)
    assert set(np.unique(corner.decode_people())) == {0, 17}


def test_more_people_than_ids_are_counted_and_listed(tmp_path):
    found = [(0.9 - number / 1000, block((number // 50, number // 50 + 1), (number % 50, number % 50 + 1))) for number in range(300)]  # fmt: skip
    samples, report = cut(tmp_path, scene(People.empty(), None), *found)
    assert report.records == 254 and samples["im_254"].person == 254 and report.counts["beyond_ids"] == 46
    reason = "46 of 300 detections left out, the least sure ones: a map of ids holds 254"
    assert [(one.sample_id, one.reason) for one in report.outcomes] == [("im", reason)]


def test_an_image_of_one_pixel_is_its_own_crop(tmp_path):
    one = np.ones((1, 1), np.uint8)
    record = builders.record("dot", np.full((1, 1, 3), 200, np.uint8), one, one)
    samples, report = cut(tmp_path, record, (0.9, one.astype(bool)), expand=1.0)
    assert (samples["dot_1"].width, samples["dot_1"].height) == (1, 1) and report.records == 1
    assert samples["dot_1"].decode_mask().tolist() == [[1]] == samples["dot_1"].decode_people().tolist()
