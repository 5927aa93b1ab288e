"""Keypoints outside the image or their person, by hand."""

import numpy as np

from pipeline.quality.keypoints import outside_image, outside_person


def points(*rows):
    return np.array(rows, np.float32)


def test_a_keypoint_is_outside_beyond_one_pixel_of_the_rim():
    inside = points((0, 0, 2), (9, 4, 2), (10, 5, 1), (-1, -1, 2))
    assert outside_image(inside, (5, 10)) == []
    outside = points((-1.5, 0, 2), (0, -1.5, 1), (10.5, 0, 2), (0, 5.5, 1), (4, 4, 2))
    assert outside_image(outside, (5, 10)) == [0, 1, 2, 3]


def test_what_is_not_annotated_is_nowhere_outside():
    assert outside_image(points((500, 500, 0)), (5, 10)) == []
    assert outside_person(points((9, 9, 0)), np.eye(10, dtype=bool), 0.5) == []


def square():
    """10 x 20 pixels, the person in columns 2 to 5 of rows 2 to 5."""
    extent = np.zeros((10, 20), bool)
    extent[2:6, 2:6] = True
    return extent


def test_distance_is_that_to_the_nearest_pixel_of_the_person():
    # (8, 9) is 3 columns and 4 rows from (5, 5): 5 pixels.
    found = outside_person(points((8, 9, 2), (3, 3, 2), (9, 5, 2)), square(), 3.9)
    assert [(index, round(distance, 3)) for index, distance in found] == [(0, 5.0), (2, 4.0)]
    assert outside_person(points((8, 9, 2)), square(), 5.0) == []


def test_occluded_keypoints_are_not_judged():
    assert outside_person(points((19, 9, 1)), square(), 1.0) == []


def test_keypoints_outside_the_image_are_the_other_checks():
    assert outside_person(points((40, 40, 2)), square(), 1.0) == []
    # On the rim, within its margin, they are judged as others.
    assert [index for index, _ in outside_person(points((20, 9, 2)), square(), 1.0)] == [0]


def test_where_hidden_joints_are_not_told_only_a_whole_stray_pose_is_found():
    far = points((15, 8, 2), (16, 8, 2), (17, 8, 2))
    assert [index for index, _ in outside_person(far, square(), 2.0, hidden_told=False)] == [0, 1, 2]
    one_inside = np.concatenate([far, points((3, 3, 2))])
    assert outside_person(one_inside, square(), 2.0, hidden_told=False) == []
    one_near = np.concatenate([far, points((7, 3, 2))])
    assert outside_person(one_near, square(), 2.0, hidden_told=False) == []
    assert outside_person(far[:2], square(), 2.0, hidden_told=False) == []
