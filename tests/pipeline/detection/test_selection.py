"""Which raw people are kept, on masks small enough to count by hand."""

import numpy as np
import pytest

from pipeline.detection import select_people
from pipeline.records import People
from pipeline.rle import encode_rle


def rectangle(rows: slice, columns: slice) -> dict:
    mask = np.zeros((10, 10), bool)
    mask[rows, columns] = True
    return encode_rle(mask)


def people(*entries: tuple[float, dict]) -> People:
    boxes = [[number, 0, 1, 1] for number in range(len(entries))]
    return People.build(
        range(1, len(entries) + 1), boxes, scores=[score for score, _ in entries], rles=[rle for _, rle in entries]
    )


# 20 pixels each, 10 shared: IoU 10 / 30.
LEFT, MIDDLE, FAR = (
    rectangle(slice(0, 5), slice(0, 4)),
    rectangle(slice(0, 5), slice(2, 6)),
    rectangle(slice(6, 9), slice(0, 9)),
)


def test_the_better_of_two_overlapping_masks_stays():
    kept = select_people(people((0.6, LEFT), (0.9, MIDDLE), (0.7, FAR)), score=0.5, mask_nms=0.3)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7])
    assert kept.boxes[:, 0].tolist() == [1, 2]
    assert kept.ids.tolist() == [1, 2]
    assert kept.rles == (MIDDLE, FAR)


def test_an_overlap_of_exactly_the_limit_is_allowed():
    assert len(select_people(people((0.6, LEFT), (0.9, MIDDLE)), score=0.5, mask_nms=1 / 3)) == 2


def test_a_person_put_out_by_a_better_one_puts_out_nobody():
    # b overlaps a, c overlaps b but not a: b goes, c stays.
    a, b, c = (rectangle(slice(0, 5), slice(start, start + 4)) for start in (0, 2, 4))
    kept = select_people(people((0.9, a), (0.8, b), (0.7, c)), score=0.5, mask_nms=0.3)
    assert kept.rles == (a, c)


def test_the_score_limit_includes_its_value():
    assert len(select_people(people((0.5, LEFT), (0.49, FAR)), score=0.5, mask_nms=1)) == 1
    assert len(select_people(people((0.3, LEFT)), score=0.3, mask_nms=1)) == 1  # 0.3 is no float32


def test_empty_masks_are_dropped_and_nobody_is_fine():
    empty = encode_rle(np.zeros((10, 10), bool))
    assert len(select_people(people((0.9, empty)), score=0.1, mask_nms=0.5)) == 0
    assert len(select_people(People.empty(), score=0.1, mask_nms=0.5)) == 0


def test_equal_scores_keep_their_order():
    assert select_people(people((0.7, FAR), (0.7, LEFT)), score=0, mask_nms=0).rles == (FAR, LEFT)


def test_limits_outside_their_range_are_named():
    with pytest.raises(ValueError, match=r"mask_nms: 1.5, expected a number from 0 to 1"):
        select_people(People.empty(), score=0.5, mask_nms=1.5)
    with pytest.raises(ValueError, match=r"raw: a person without a mask"):
        select_people(People.build([1], [[0, 0, 2, 2]]), score=0.5, mask_nms=0.5)
