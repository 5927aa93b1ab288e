"""Found against annotated people, by hand."""

import math

import numpy as np
import pytest

from pipeline.detection import PeopleCount, count_people, match_people
from pipeline.detection.matching import bodies_of
from pipeline.records import People
from pipeline.rle import encode_rle


def block(rows: tuple[int, int], columns: tuple[int, int]) -> dict:
    mask = np.zeros((20, 20), bool)
    mask[slice(*rows), slice(*columns)] = True
    return encode_rle(mask)


def found(*entries: tuple[float, dict]) -> People:
    return People.build(
        range(1, len(entries) + 1),
        np.zeros((len(entries), 4)),
        scores=[score for score, _ in entries],
        rles=[rle for _, rle in entries],
    )


def truth(rles: list, crowd: list | None = None, boxes: list | None = None) -> People:
    boxes = np.zeros((len(rles), 4)) if boxes is None else boxes
    return People.build(range(1, len(rles) + 1), boxes, rles=rles, crowd=crowd)


WHOLE = block((0, 10), (0, 10))
MOST = block((0, 8), (0, 10))  # IoU 0.8 with WHOLE
HALF = block((0, 5), (0, 10))  # IoU 0.5 with WHOLE
ELSEWHERE = block((12, 18), (12, 18))


def test_the_best_scored_takes_the_person_even_if_another_fits_better():
    matching = match_people(found((0.6, WHOLE), (0.9, MOST)), truth([WHOLE]))
    assert matching.found.tolist() == [1]
    assert matching.truth.tolist() == [0]
    assert matching.ious.tolist() == pytest.approx([0.8])
    assert matching.false.tolist() == [0]
    assert matching.missed.tolist() == []


def test_an_iou_of_exactly_the_limit_matches():
    assert len(match_people(found((0.9, HALF)), truth([WHOLE])).found) == 1
    assert len(match_people(found((0.9, HALF)), truth([WHOLE]), iou=0.51).found) == 0


def test_what_nobody_found_is_missed_and_what_is_nobody_is_false():
    matching = match_people(found((0.9, ELSEWHERE)), truth([WHOLE]))
    assert (matching.missed.tolist(), matching.false.tolist(), len(matching.found)) == ([0], [0], 0)


def test_a_detection_inside_a_crowd_is_neither_true_nor_false():
    crowd = block((10, 20), (10, 20))
    matching = match_people(found((0.9, ELSEWHERE), (0.8, WHOLE)), truth([crowd], crowd=[True]))
    assert matching.ignored.tolist() == [0]
    assert matching.false.tolist() == [1]
    assert matching.missed.tolist() == []


def test_a_detection_on_a_person_known_by_the_box_alone_is_neither_true_nor_false():
    people = found((0.9, WHOLE))
    people = People.build(people.ids, [[0, 0, 10, 10]], scores=people.scores, rles=people.rles)
    matching = match_people(people, truth([None], boxes=[[0, 0, 10, 9]]))
    assert (matching.ignored.tolist(), matching.false.tolist(), matching.missed.tolist()) == ([0], [], [])


def test_nobody_on_either_side():
    assert match_people(found(), truth([WHOLE])).missed.tolist() == [0]
    assert match_people(found((0.9, WHOLE)), truth([])).false.tolist() == [0]
    assert match_people(found((0.9, WHOLE)), truth([])).ious.dtype == np.float64


def test_counts_tell_large_people_from_small_ones():
    small = block((15, 17), (0, 4))  # 8 pixels of 400: exactly 2 %
    people = truth([WHOLE, ELSEWHERE, small])
    matching = match_people(found((0.9, WHOLE), (0.8, small), (0.7, block((0, 3), (15, 20)))), people)
    count = count_people(matching, people, image_area=400)
    assert count == PeopleCount(large=2, large_found=1, judged=3, false=1)
    assert count.recall == 0.5
    assert count.false_share == pytest.approx(1 / 3)
    assert (count + count).large == 4


def test_no_people_at_all():
    assert math.isnan(PeopleCount().recall)
    assert PeopleCount().false_share == 0


def test_found_people_need_masks():
    with pytest.raises(ValueError, match="found: a person without a mask"):
        match_people(People.build([1], [[0, 0, 1, 1]]), truth([WHOLE]))


UPPER, LOWER = block((0, 4), (0, 10)), block((4, 10), (0, 10))  # 40 and 60 pixels of WHOLE
BESIDE = block((0, 10), (5, 20))  # 50 of its 150 pixels on WHOLE
ACROSS = block((0, 10), (5, 15))  # 50 of its 100


def test_masks_stay_on_the_body_that_covers_half_of_them():
    people = truth([WHOLE, ELSEWHERE])
    cases = found((0.9, MOST), (0.8, UPPER), (0.7, BESIDE), (0.6, ACROSS), (0.5, ELSEWHERE))
    assert bodies_of(cases, people, match_people(cases, people)).tolist() == [0, 0, -1, 0, 1]


def test_two_halves_of_a_body_are_two_masks_on_it_though_one_alone_matches_or_none():
    halves, people = found((0.9, UPPER), (0.8, LOWER)), truth([WHOLE])
    matching = match_people(halves, people)
    assert matching.found.tolist() == [1] and bodies_of(halves, people, matching).tolist() == [0, 0]
    strict = match_people(halves, people, iou=0.7)
    assert len(strict.found) == 0 and bodies_of(halves, people, strict).tolist() == [0, 0]


def test_a_matched_person_stays_on_their_own_even_where_another_covers_more():
    # COCO's masks overlap: the whole of the found mask lies on the larger person.
    people, one = truth([block((0, 20), (0, 20)), WHOLE]), found((0.9, WHOLE))
    matching = match_people(one, people)
    assert matching.truth.tolist() == [1] and bodies_of(one, people, matching).tolist() == [1]


def test_crowds_and_people_known_by_their_box_are_no_bodies():
    people = truth([WHOLE, None], crowd=[True, False])
    one = found((0.9, HALF))
    assert bodies_of(one, people, match_people(one, people)).tolist() == [-1]
    nobody = truth([])
    assert bodies_of(one, nobody, match_people(one, nobody)).tolist() == [-1]
    assert bodies_of(found(), truth([WHOLE]), match_people(found(), truth([WHOLE]))).tolist() == []
