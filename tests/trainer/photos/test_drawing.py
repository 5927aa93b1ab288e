"""The picture of a photo's people."""

import numpy as np

from pipeline.geometry.crop import Window
from pipeline.taxonomy import KEYPOINT_SETS
from tests.trainer.photos.builders import CIHP
from trainer.photos.drawing import draw_people
from trainer.photos.people import Person

LIP16 = KEYPOINT_SETS["lip16"]
GREY = np.full((300, 640, 3), 120, np.uint8)


def person(number, window, keypoints=(), hw=(300, 640)):
    parts = np.full(window.hw, 5, np.uint8)
    joints = np.zeros((16, 3), np.float32)
    for joint, point in keypoints:
        joints[joint] = point
    box = np.array([window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0], np.float32)
    return Person(number, 0.9, box, window, parts, joints, {5: 0.9}, hw)


def changed(people, image=GREY):
    picture = draw_people(image, people, CIHP, LIP16)
    return picture, (picture != 120).any(axis=2)


def test_parts_and_outline_lie_on_the_person_and_nothing_elsewhere():
    picture, drawn = changed([person(1, Window(100, 150, 200, 250))])
    assert picture.shape == GREY.shape and drawn[150:250, 100:200].all()
    assert not drawn[:, :95].any() and not drawn[253:].any() and not drawn[:120].any()  # the label stands above
    assert (picture[160:240, 110:190] == picture[200, 150]).all() and (picture[150, 150] > 200).all()


def test_joints_of_little_confidence_are_not_drawn():
    _, without = changed([person(1, Window(100, 150, 200, 250))])
    for confidence, shown in ((0.1, False), (0.3, True)):
        _, drawn = changed([person(1, Window(100, 150, 200, 250), [(9, (400, 60, confidence))])])
        rows, columns = np.nonzero(drawn & ~without)
        assert bool(len(rows)) == shown and (not shown or (abs(columns.mean() - 400) < 1 and abs(rows.mean() - 60) < 1))


def test_labels_of_people_at_one_place_stand_below_each_other():
    people = [person(n, Window(100, 40, 101 + n, 41 + n)) for n in range(1, 4)]
    picture = draw_people(GREY, people, CIHP, LIP16)
    dark = (picture == 20).all(axis=2)
    heights = [
        np.flatnonzero((draw_people(GREY, people[:n], CIHP, LIP16) == 20).all(axis=2).any(axis=1)).size
        for n in (1, 2, 3)
    ]
    assert dark.any() and heights[0] < heights[1] < heights[2]


def test_small_photos_are_enlarged_and_people_stay_in_their_place():
    small = np.full((30, 64, 3), 120, np.uint8)
    picture, drawn = changed([person(1, Window(10, 15, 20, 25), hw=(30, 64))], small)
    assert picture.shape == (300, 640, 3) and drawn[150:250, 100:200].all() and not drawn[255:].any()
    assert draw_people(small, [], CIHP, LIP16).shape == (300, 640, 3)
