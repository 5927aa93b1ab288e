import io

import numpy as np
import pytest
import scipy.io

from pipeline.datasets.layout import read_item
from pipeline.datasets.mhp import MHP, mhp_items
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from tests import builders

TOP = "LV-MHP-v2"
BIG, SMALL = np.zeros((12, 8), np.uint8), np.zeros((12, 8), np.uint8)
BIG[1:11, 0:6], SMALL[4:8, 4:8] = 12, 3


def red(ids):
    """Three channels, of which the first holds the ids and the others something else."""
    return builders.png(np.dstack([ids, ids * 2, ids * 0 + 9]))


def pose(**people):
    stream = io.BytesIO()
    scipy.io.savemat(stream, people)
    return stream.getvalue()


def person(**rows):
    joints = np.zeros((20, 3))
    joints[:, 2] = 2
    for row, values in rows.items():
        joints[int(row[1:])] = values
    return joints


def write(folder, masks=None, joints=None, listed="3", split="train"):
    masks = {"3_02_01": red(BIG), "3_02_02": red(SMALL)} if masks is None else masks
    members = [(f"{TOP}/{split}/images/3.jpg", builders.jpeg()), (f"{TOP}/list/{split}.txt", listed.encode())]
    members += [(f"{TOP}/{split}/parsing_annos/{name}.png", data) for name, data in masks.items()]
    if joints is not None:
        members.append((f"{TOP}/{split}/pose_annos/3.mat", joints))
    builders.write_zip(folder / "LV-MHP-v2.zip", members)
    return Archives(folder)


def read_one(archives):
    (item,) = mhp_items(archives, "train")
    return read_item(archives, item, "mhp", "train", LABEL_SETS["mhp"], MHP.labels)


def test_one_mask_per_person_becomes_parts_and_person_ids(tmp_path):
    first, second = person(j0=(1, 2, 0), j5=(3, 4, 1)), person(j15=(7, 7, 0), j16=(9, 9, 0))
    record = read_one(write(tmp_path, joints=pose(person_0=first, person_1=second)))
    mask, ids = record.decode_mask(), record.decode_people()
    # The smaller person lies on top.
    assert np.array_equal(mask, np.where(SMALL > 0, 3, BIG)) and np.array_equal(ids, np.where(SMALL > 0, 2, BIG > 0))
    assert record.people.ids.tolist() == [1, 2] and record.people.boxes.tolist() == [[0, 1, 6, 10], [4, 4, 4, 4]]
    assert np.array_equal(record.people.mask(0), BIG > 0)
    keypoints = record.people.keypoints
    assert keypoints.shape == (2, 16, 3)
    assert keypoints[0, 0].tolist() == [1, 2, 2] and keypoints[0, 5].tolist() == [3, 4, 1]
    assert (keypoints[..., 2] > 0).sum() == 3 and keypoints[1, 15].tolist() == [7, 7, 2]


def test_people_without_joints_are_kept(tmp_path):
    record = read_one(write(tmp_path))
    assert len(record.people) == 2 and not record.people.keypoints.any()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"masks": {"3_02_01": red(BIG)}}, r"'3' has masks of the people \[1\], its files' names say 2"),
        ({"masks": {"3_x_01": red(BIG)}}, "not named <id>_<people>_<person>"),
        ({"masks": {}}, r"names '3', but train/parsing_annos has no mask"),
        ({"listed": "3\n4"}, "names '4', but train/images lacks it"),
        ({"joints": pose(person_0=person())}, "2 people's masks, joints of 1"),
        ({"joints": pose(person_0=person(), person_2=person())}, "has no person_1"),
        ({"joints": pose(person_0=person(), person_1=person(j3=(1, 1, 5)))}, "person_1 has visibility 5, expected 0, 1 or 2"),
        ({"joints": b"MATLAB"}, r"not a readable \.mat"),
        ({"masks": {"3_01_01": red(BIG + 60)}}, r"holds the ids \[60, 72\], label set 'mhp'"),
        ({"masks": {"3_01_01": red(BIG[1:])}}, "is 8x11, its image is 8x12"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        read_one(write(tmp_path, **options))
