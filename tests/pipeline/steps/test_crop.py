import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.geometry.affine import transform_points
from pipeline.records import People
from pipeline.rows import sample_from_row
from pipeline.steps.crop import annotated_step, single_step
from pipeline.steps.cutting import CutRules
from tests import builders

HEIGHT, WIDTH = 40, 50


def scene():
    """Two people whose boxes overlap, the second in front; joints; parts 5 and 13."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[5:35, 8:24] = 1
    ids[15:30, 20:42] = 4
    mask = np.where(ids == 1, 5, np.where(ids == 4, 13, 0)).astype(np.uint8)
    mask[0:3] = 255
    keypoints = np.zeros((2, 17, 3), np.float32)
    keypoints[0, 3], keypoints[1, 9], keypoints[1, 10] = (10, 12, 2), (30, 20, 1), (41, 29, 2)
    base = People.from_id_map(ids)
    people = People.build(base.ids, base.boxes, rles=base.rles, keypoints=keypoints)
    image = np.clip(builders.image_pixels(HEIGHT, WIDTH), 30, 255)
    return builders.record("p.q_1", image, mask, ids, people)


def rules(**changes):
    return CutRules(**{"others": "black", "others_label": 0, "min_area": 0, "expand": 0.2, **changes})


def cut(folder, *records, people="many", **changes):
    path = builders.write_records(folder / "images.parquet", records)
    step = single_step(2) if people == "single" else annotated_step(rules(**changes), 2)
    data, report = step.work((path,))
    return [sample_from_row(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()], report


def own_region(sample, ids):
    """The person's pixels in their crop."""
    x, y = sample.to_source[:, 2].astype(int)
    return ids[y : y + sample.height, x : x + sample.width]


def test_every_annotated_person_is_a_crop_around_their_box(tmp_path):
    record = scene()
    samples, report = cut(tmp_path, record)
    assert [sample.sample_id for sample in samples] == ["p.q_1_1", "p.q_1_4"]
    assert [sample.person for sample in samples] == [1, 4] and report.records == 2
    first, second = samples
    # Boxes 8, 5, 16 x 30 and 20, 15, 22 x 15, a tenth of the side more at either end.
    assert first.box.tolist() == [8, 5, 16, 30] and second.box.tolist() == [20, 15, 22, 15]
    assert first.to_source.tolist() == [[1, 0, 6], [0, 1, 2]] and (first.width, first.height) == (20, 36)
    assert second.to_source.tolist() == [[1, 0, 17], [0, 1, 13]] and (second.width, second.height) == (28, 19)
    assert {sample.source_id for sample in samples} == {"p.q_1"} and {sample.score for sample in samples} == {1}
    assert first.decode_image().shape == (36, 20, 3) and report.counts["images"] == 1


def test_painted_over_people_are_black_background_and_nobody(tmp_path):
    record = scene()
    ids, parts, image = record.decode_people(), record.decode_mask(), record.decode_image()
    for sample in cut(tmp_path, record)[0]:
        region = own_region(sample, ids)
        others = (region != 0) & (region != sample.person)
        assert others.any()
        # JPEG leaves a little along the border.
        pixels = sample.decode_image().astype(int)
        assert pixels[others].mean() < 12 < 60 < pixels[~others].mean()
        assert np.array_equal(sample.decode_mask(), np.where(others, 0, own_region(sample, parts)))
        assert np.array_equal(sample.decode_people(), np.where(others, 0, region))
        assert np.abs(pixels - own_region(sample, image))[~others].mean() < 15


def test_kept_people_stay_in_the_picture_and_are_ignored(tmp_path):
    record = scene()
    ids, parts, image = record.decode_people(), record.decode_mask(), record.decode_image()
    for sample in cut(tmp_path, record, others="keep", others_label=255)[0]:
        region = own_region(sample, ids)
        others = (region != 0) & (region != sample.person)
        assert np.array_equal(sample.decode_mask(), np.where(others, 255, own_region(sample, parts)))
        assert np.array_equal(sample.decode_people(), region)
        assert np.abs(sample.decode_image().astype(int) - own_region(sample, image))[others].mean() < 15


def test_to_source_puts_every_crop_back_exactly(tmp_path):
    record = scene()
    ids, parts = record.decode_people(), record.decode_mask()
    for sample in cut(tmp_path, record)[0]:
        back = np.zeros((HEIGHT, WIDTH), bool)
        rows, columns = np.nonzero(sample.decode_people() == sample.person)
        there = transform_points(sample.to_source, np.column_stack([columns, rows])).astype(int)
        back[there[:, 1], there[:, 0]] = True
        assert np.array_equal(back, ids == sample.person)
        assert np.array_equal(sample.decode_mask()[rows, columns], parts[there[:, 1], there[:, 0]])


def test_joints_move_with_the_crop_and_missing_ones_stay_zero(tmp_path):
    first, second = cut(tmp_path, scene())[0]
    assert first.keypoints[3].tolist() == [4, 10, 2] and np.flatnonzero(first.keypoints.any(axis=1)).tolist() == [3]
    assert second.keypoints[9].tolist() == [13, 7, 1] and second.keypoints[10].tolist() == [24, 16, 2]
    assert not np.delete(second.keypoints, [9, 10], axis=0).any()


@pytest.mark.parametrize("min_area, small", [(330, []), (331, [4]), (420, [4]), (421, [1, 4])])
def test_people_of_too_few_pixels_are_listed_and_sums_agree(tmp_path, min_area, small):
    # Person 4 has 22 x 15 pixels, person 1 has 16 x 30 less the 4 x 15 behind person 4.
    areas = {1: 420, 4: 330}
    samples, report = cut(tmp_path, scene(), min_area=min_area)
    assert [(one.sample_id, one.reason) for one in report.outcomes] == [
        (f"p.q_1_{person}", f"{areas[person]} pixels, crop.min_area is {min_area}") for person in small
    ]
    assert [sample.person for sample in samples] == [person for person in areas if person not in small]
    assert report.records + len(report.outcomes) == 2 and not report.rejects


def test_an_image_of_nobody_is_an_outcome(tmp_path):
    empty = np.zeros((12, 8), np.uint8)
    samples, report = cut(tmp_path, builders.record("empty", mask=empty, people_map=empty), scene())
    assert len(samples) == 2 and report.counts["images"] == 2
    assert [(one.sample_id, one.reason) for one in report.outcomes] == [("empty", "nobody was found")]


def test_single_people_pass_as_they_are(tmp_path):
    mask = np.arange(96, dtype=np.uint8).reshape(12, 8) % 20
    keypoints = np.arange(48, dtype=np.float32).reshape(1, 16, 3)
    record = builders.record("a_1", mask=mask, people=People.build([1], [[0, 0, 8, 12]], keypoints=keypoints))
    (sample,), report = cut(tmp_path, record, people="single")
    assert (sample.sample_id, sample.source_id, sample.path) == ("a_1", "a_1", record.path)
    assert sample.image == record.image and sample.mask == record.mask and report.records == 1
    assert np.array_equal(sample.keypoints, keypoints[0]) and sample.to_source.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert sample.box.tolist() == [0, 0, 8, 12]


def test_equal_records_give_equal_bytes(tmp_path):
    path = builders.write_records(tmp_path / "images.parquet", [scene()])
    step = annotated_step(rules(), 2)
    assert step.work((path,))[0] == step.work((path,))[0]


def test_several_annotated_people_in_an_image_of_a_single_person_set_are_told(tmp_path):
    (sample,), report = cut(tmp_path, scene(), people="single")
    assert (sample.width, sample.height) == (WIDTH, HEIGHT)
    (outcome,) = report.outcomes
    assert outcome.sample_id == "p.q_1" and outcome.reason.startswith("2 annotated people in a set of people: single")
