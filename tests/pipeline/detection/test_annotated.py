"""People as the data set has them."""

import numpy as np

from pipeline.detection import annotated_people
from pipeline.images import encode_png
from pipeline.records import ImageRecord, People
from pipeline.rle import encode_rle


def record(people: People, people_map: np.ndarray | None = None) -> ImageRecord:
    encoded = None if people_map is None else encode_png(people_map)
    return ImageRecord("a", "set", "train", b"", "a.jpg", 6, 4, None, encoded, people)


def test_the_person_id_map_decides():
    ids = np.zeros((4, 6), np.uint8)
    ids[1:3, 2:5], ids[0, 0] = 7, 3
    people = annotated_people(record(People.empty(), ids))
    assert people.ids.tolist() == [3, 7]
    assert people.boxes.tolist() == [[0, 0, 1, 1], [2, 1, 3, 2]]
    assert people.scores.tolist() == [1, 1]


def test_crowds_and_people_without_a_mask_are_left_out():
    mask = encode_rle(np.eye(4, 6, dtype=bool))
    boxes = np.zeros((3, 4))
    keypoints = np.arange(9).reshape(3, 1, 3)
    people = People.build([1, 2, 5], boxes, crowd=[True, False, False], rles=[mask, None, mask], keypoints=keypoints)
    kept = annotated_people(record(people))
    assert kept.ids.tolist() == [5]
    assert kept.keypoints is not None
    assert kept.keypoints.tolist() == [[[6, 7, 8]]]
