"""Crops put back: by hand, against a loop over pixels, and labels that come back whole."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.geometry.affine import translation
from pipeline.geometry.crop import Window
from pipeline.geometry.paste import part_instances, paste_people


def test_the_higher_score_wins_where_two_claim_a_pixel():
    first, second = np.array([[1, 1, 0]], np.uint8), np.array([[2, 2, 2]], np.uint8)
    places = [translation(0, 0), translation(1, 0)]
    parts, people = paste_people([first, second], places, [0.9, 0.6], (1, 5))
    assert parts.tolist() == [[1, 1, 2, 2, 0]]
    assert people.tolist() == [[1, 1, 2, 2, 0]]
    assert paste_people([first, second], places, [0.5, 0.6], (1, 5)).parts.tolist() == [[1, 2, 2, 2, 0]]
    assert paste_people([first, second], places, [0.6, 0.6], (1, 5)).people.tolist() == [[1, 1, 2, 2, 0]]


def test_who_was_cut_out_by_the_pixel_wins_before_the_score():
    parts = [np.array([[1, 1, 1]], np.uint8), np.array([[2, 2, 2]], np.uint8)]
    figures = [np.array([[True, False, False]]), np.array([[True, True, False]])]
    pasted = paste_people(parts, [translation(0, 0)] * 2, [0.9, 0.6], (1, 3), figures)
    assert pasted.people.tolist() == [[1, 2, 1]]  # both figures; the second's alone; neither's


def test_background_and_ignored_pixels_claim_nothing():
    pasted = paste_people([np.array([[0, 255, 3]], np.uint8)], [translation(0, 1)], [1.0], (2, 3))
    assert pasted.parts.tolist() == [[0, 0, 0], [0, 0, 3]]
    nobody = paste_people([], [], [], (2, 3))
    assert nobody.parts.shape == nobody.people.shape == (2, 3) and not nobody.people.any()


def slow_paste(parts, places, scores, hw, figures):
    ids, people = np.zeros(hw, int), np.zeros(hw, int)
    for y in range(hw[0]):
        for x in range(hw[1]):
            claims = []
            for n, (crop, (left, top)) in enumerate(zip(parts, places, strict=True)):
                row, column = y - top, x - left
                if 0 <= row < crop.shape[0] and 0 <= column < crop.shape[1] and crop[row, column] not in (0, 255):
                    held = figures is not None and bool(figures[n][row, column])
                    claims.append((held, scores[n], -n, int(crop[row, column])))
            if claims:
                _, _, n, ids[y, x] = max(claims)
                people[y, x] = 1 - n
    return ids, people


@pytest.mark.parametrize("with_figures", [False, True])
def test_agrees_with_a_loop_over_pixels(with_figures):
    random = np.random.default_rng(5)
    for _ in range(6):
        count, hw = int(random.integers(1, 5)), (17, 23)
        sizes = [(int(random.integers(1, 18)), int(random.integers(1, 24))) for _ in range(count)]
        places = [(int(random.integers(0, 24 - w)), int(random.integers(0, 18 - h))) for h, w in sizes]
        parts = [random.choice(np.array([0, 1, 4, 255], np.uint8), size) for size in sizes]
        figures = [random.random(size) < 0.6 for size in sizes] if with_figures else None
        scores = random.choice([0.2, 0.7, 1.0], count).tolist()
        pasted = paste_people(parts, [translation(*place) for place in places], scores, hw, figures)
        expected_parts, expected_people = slow_paste(parts, places, scores, hw, figures)
        assert np.array_equal(pasted.parts, expected_parts)
        assert np.array_equal(pasted.people, expected_people)


def test_people_cut_out_come_back_as_they_were():
    random = np.random.default_rng(1)
    people = np.zeros((40, 60), np.uint8)
    windows = [Window(2, 3, 30, 38), Window(20, 0, 55, 40), Window(40, 10, 60, 20)]
    for person, window in enumerate(windows, start=1):
        people[window.y0 : window.y1, window.x0 : window.x1] = person
    parts = np.where(people > 0, random.integers(1, 7, people.shape), 0).astype(np.uint8)
    crops = [np.where(window.cut(people) == person, window.cut(parts), 0) for person, window in enumerate(windows, 1)]
    pasted = paste_people(crops, [window.to_source for window in windows], [0.3, 0.2, 0.1], people.shape)
    assert np.array_equal(pasted.parts, parts)
    assert np.array_equal(pasted.people, people)


def test_more_than_255_people_get_a_wider_map():
    crops = [np.ones((1, 1), np.uint8)] * 300
    people = paste_people(crops, [translation(n, 0) for n in range(300)], [1.0] * 300, (1, 300)).people
    assert people.dtype == np.uint16 and people[0].tolist() == list(range(1, 301))


def test_what_does_not_fit_is_named():
    crop = np.ones((2, 2), np.uint8)
    with pytest.raises(ValueError, match="scores: 2 entries, expected one for each of the 1 crops"):
        paste_people([crop], [translation(0, 0)], [1.0, 1.0], (5, 5))
    with pytest.raises(ValueError, match=r"figures\[0\]: shape \(2, 3\), expected the crop's \(2, 2\)"):
        paste_people([crop], [translation(0, 0)], [1.0], (5, 5), [np.ones((2, 3), bool)])
    with pytest.raises(ValueError, match="crop: 2x2 at \\(4, 0\\) does not lie inside an image of 5x5"):
        paste_people([crop], [translation(4, 0)], [1.0], (5, 5))


def test_parts_of_people_are_instances():
    parts = np.array([[1, 1, 2, 0], [255, 2, 2, 1]], np.uint8)
    people = np.array([[3, 3, 3, 3], [3, 1, 1, 0]], np.uint8)
    found = part_instances(parts, people)
    assert found.classes.tolist() == [2, 1, 2] and found.people.tolist() == [1, 3, 3]
    assert found.ids.tolist() == [[2, 2, 3, 0], [0, 1, 1, 0]]
    assert found.masks.shape == (3, 2, 4) and found.masks[0].tolist() == [[False] * 4, [False, True, True, False]]
    assert part_instances(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8)).masks.shape == (0, 2, 2)
    with pytest.raises(ValueError, match="people: shape"):
        part_instances(parts, people[:1])
