import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from pipeline.errors import DataError
from pipeline.records import ImageRecord, People, Sample
from pipeline.rle import check_rle, decode_rle, encode_rle
from pipeline.rows import IMAGE_SCHEMA, SAMPLE_SCHEMA, image_from_row, image_row, sample_from_row, sample_row
from tests import builders


def through_table(row: dict, schema: pa.Schema) -> dict:
    return pa.Table.from_pylist([row], schema=schema).to_pylist()[0]


def same_people(one: People, other: People) -> bool:
    arrays_equal = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        and getattr(one, name).dtype == getattr(other, name).dtype
        for name in ("ids", "boxes", "scores", "crowd")
    )
    joints_equal = (
        one.keypoints is other.keypoints is None
        if one.keypoints is None or other.keypoints is None
        else np.array_equal(one.keypoints, other.keypoints)
    )
    return arrays_equal and joints_equal and one.rles == other.rles


PEOPLE = {
    "nobody": People.empty(),
    "box only": People.build([1], [[1, 2, 3, 4]]),
    "mixed": People.build(
        [3, 7],
        [[0, 0, 2, 2], [1.5, 2.25, 3, 4]],
        scores=[0.5, 1],
        crowd=[False, True],
        rles=[None, encode_rle(np.eye(5, dtype=bool))],
        keypoints=np.arange(2 * 17 * 3).reshape(2, 17, 3),
    ),
}


@pytest.mark.parametrize("people", PEOPLE.values(), ids=PEOPLE)
@pytest.mark.parametrize("maps", [False, True])
def test_an_image_record_comes_back_from_its_row(people, maps):
    mask = np.arange(96, dtype=np.uint8).reshape(12, 8) % 20 if maps else None
    record = builders.record("a.b_ü 1", mask=mask, people_map=mask, people=people)
    back = image_from_row(through_table(image_row(record), IMAGE_SCHEMA))
    assert isinstance(back, ImageRecord) and same_people(back.people, people)
    for name in ("sample_id", "dataset", "split", "image", "path", "width", "height", "mask", "people_map"):
        assert getattr(back, name) == getattr(record, name)
    if maps:
        assert np.array_equal(back.decode_mask(), mask) and np.array_equal(back.decode_people(), mask)
    else:
        assert back.decode_mask() is None and back.decode_people() is None
    assert back.decode_image().shape == (12, 8, 3)


def sample(**fields: object) -> Sample:
    plain = {
        "sample_id": "a.b_1_2", "source_id": "a.b_1", "dataset": "toy", "split": "val", "image": builders.jpeg(),
        "path": "x.jpg", "width": 8, "height": 12, "mask": None, "people_map": None,
        "box": np.array([1.5, 2, 3, 4], np.float32), "score": 0.25, "to_source": np.array([[1.0, 0, 7], [0, 1, 9]]),
        "person": 2,
    }  # fmt: skip
    return Sample(**{**plain, **fields})


FULL = {
    "mask": builders.png(np.ones((12, 8))),
    "people_map": builders.png(np.full((12, 8), 2)),
    "edge": builders.png(np.eye(12, 8)),
    "keypoints": np.arange(48, dtype=np.float32).reshape(16, 3) / 3,
    "keypoint_origin": ("annotated", "", *["teacher-1"] * 14),
    "keypoint_confidence": np.linspace(0, 1, 16, dtype=np.float32),
    "to_heatmap_input": np.array([[1 / 3, 0, 0.1], [0, 1 / 3, -0.2]]),
    "provenance": {"image_sha256": "ab", "crop": "1", "people": "a=b"},
}


@pytest.mark.parametrize("fields", [{}, FULL], ids=["bare", "full"])
def test_a_sample_comes_back_from_its_row(fields):
    before = sample(**fields)
    after = sample_from_row(through_table(sample_row(before), SAMPLE_SCHEMA))
    for name, value in vars(before).items():
        found = getattr(after, name)
        if isinstance(value, np.ndarray):
            assert np.array_equal(found, value) and found.dtype == value.dtype, name
        else:
            assert found == value, name
    assert (after.decode_edge() is None) == (not fields)


def test_a_row_without_its_box_is_refused():
    row = sample_row(sample())
    with pytest.raises(DataError, match=r"sample 'a\.b_1_2'.*lacks its box or its to_source"):
        sample_from_row({**row, "box": None})


@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(max_examples=100, deadline=None)
def test_rle_comes_back_and_equals_pycocotools(mask):
    rle = encode_rle(mask)
    assert np.array_equal(decode_rle(rle), mask)
    theirs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert rle == {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    check_rle(rle)


def test_rle_of_large_masks_with_long_runs_is_accepted():
    mask = np.zeros((700, 900), bool)
    mask[100:650, 3:880] = np.random.default_rng(0).random((550, 877)) > 0.01
    check_rle(encode_rle(mask))
    check_rle(encode_rle(np.zeros((700, 900), bool)))


@pytest.mark.parametrize("counts", ["", "zzz", "00000000", "PPPPPPPP~~", "d3", b"\x00"])
def test_rle_that_does_not_cover_its_image_is_refused(counts):
    with pytest.raises(ValueError, match="counts: "):
        check_rle({"size": [10, 10], "counts": counts})


def test_people_of_an_id_map_have_tight_boxes_and_their_pixels():
    people_map = np.zeros((6, 7), np.uint8)
    people_map[1:4, 2:5], people_map[5, 6], people_map[2, 3] = 9, 2, 0
    people = People.from_id_map(people_map)
    assert people.ids.tolist() == [2, 9] and people.boxes.tolist() == [[6, 5, 1, 1], [2, 1, 3, 3]]
    assert np.array_equal(people.mask(1), people_map == 9) and people.scores.tolist() == [1, 1]
    assert not people.crowd.any() and people.keypoints is None
    assert len(People.from_id_map(np.zeros((3, 3), np.uint8))) == 0


def test_nobody_can_still_have_a_number_of_keypoints():
    assert People.empty(17).keypoints.shape == (0, 17, 3) and People.empty().keypoints is None


def test_a_mask_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="person 0 has no mask, only a box"):
        PEOPLE["box only"].mask(0)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"boxes": np.zeros((1, 4), np.float32)}, r"boxes: shape \(1, 4\), expected \(2, 4\)"),
        ({"scores": np.zeros(3, np.float32)}, r"scores: shape \(3,\), expected \(2,\)"),
        ({"crowd": np.zeros((2, 1), bool)}, r"crowd: shape \(2, 1\), expected \(2,\)"),
        ({"rles": (None,)}, "rles: 1 masks for 2 people"),
        ({"keypoints": np.zeros((1, 17, 3))}, r"keypoints: shape \(1, 17, 3\), expected \(2, K, 3\)"),
        ({"keypoints": np.zeros((17, 3))}, r"keypoints: shape \(17, 3\), expected \(2, K, 3\)"),
    ],
)
def test_people_whose_rows_do_not_agree_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        People(**{**vars(PEOPLE["mixed"]), **fields})
