import io

import numpy as np
import pytest
import scipy.io

from pipeline.datasets.layout import read_item
from pipeline.datasets.pascal import PASCAL, parse_joints, pascal_items
from pipeline.datasets.sample.pascal_layout import palette_png
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, voc_palette
from tests import builders

MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 7
MASK[0] = 255


def cells(*arrays):
    cell = np.empty((1, len(arrays)), object)
    for place, array in enumerate(arrays):
        cell[0, place] = np.asarray(array, float)
    return cell


def mat(boxes, joints):
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"boxes": boxes, "joints": joints})
    return stream.getvalue()


JOINTS = np.zeros((14, 3))
JOINTS[0], JOINTS[13] = (3, 4, 1), (5.5, 6, 2)
TWO = mat(cells([[1, 2, 4, 9]], [[0, 0, 7, 11]]), cells(JOINTS, JOINTS * 0))


def write(folder, mask=None, joints=None, lists=None):
    top = "pascal_person_part"
    mask = palette_png(MASK) if mask is None else mask
    listed = {f"{top}/pascal_person_part_trainval_list/train_id.txt": b"2008_000008\n"} if lists is None else lists
    builders.write_zip(
        folder / "a.zip",
        [(f"{top}/pascal_person_part_gt/2008_000008.png", mask), *((name, data) for name, data in listed.items())],
    )
    members = [("VOCdevkit/VOC2012/JPEGImages/2008_000008.jpg", builders.jpeg())]
    members += [("VOCdevkit/VOC2012/JPEGImages/2009_000001.jpg", builders.jpeg())]
    builders.write_zip(folder / "VOC.zip", members)
    if joints is not None:
        builders.write_zip(folder / "j.zip", [("PersonJoints/2008_000008.mat", joints)])
    return Archives(folder)


def read_one(archives):
    (item,) = pascal_items(archives, "train")
    return read_item(archives, item, "pascal", "train", LABEL_SETS["pascal"], PASCAL.labels)


def test_masks_are_read_by_index_and_people_by_box_and_joints(tmp_path):
    record = read_one(write(tmp_path, joints=TWO))
    assert np.array_equal(record.decode_mask(), MASK) and record.people_map is None
    assert record.people.boxes.tolist() == [[1, 2, 4, 8], [0, 0, 8, 12]] and record.people.rles == (None, None)
    keypoints = record.people.keypoints
    assert keypoints.shape == (2, 14, 3) and not keypoints[1].any() and not keypoints[0, 1:13].any()
    assert keypoints[0, 0].tolist() == [3, 4, 2] and keypoints[0, 13].tolist() == [5.5, 6, 2]


def test_an_image_without_a_file_of_joints_has_no_annotated_people(tmp_path):
    assert len(read_one(write(tmp_path)).people) == 0


def test_the_list_of_path_pairs_serves_as_well(tmp_path):
    name = "pascal_person_part_trainval_list/train.txt"
    archives = write(tmp_path, lists={name: b"/JPEGImages/2008_000008.jpg /gt/2008_000008.png\n"})
    assert [item.sample_id for item in pascal_items(archives, "train")] == ["2008_000008"]


def test_masks_made_grey_from_the_palette_are_told_apart_from_ids(tmp_path):
    colours = voc_palette()[np.where(MASK == 255, 0, MASK)]
    grey = np.rint(colours @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    with pytest.raises(
        DataError, match="colour table, whose indices are the ids, and grey PNGs whose values are the ids"
    ):
        read_one(write(tmp_path, mask=builders.png(grey)))
    # A repack whose grey values are the ids is read as it is.
    assert np.array_equal(read_one(write(tmp_path / "b", mask=builders.png(MASK))).decode_mask(), MASK)


def test_ids_of_another_set_are_named(tmp_path):
    with pytest.raises(DataError, match=r"holds the ids \[7, 19\], label set 'pascal' has 0 to 6 and 255"):
        read_one(write(tmp_path, mask=builders.png(np.where(MASK == 6, 19, np.where(MASK == 5, 7, MASK)))))


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", r"not a readable \.mat file"),
        (TWO[:150], r"not a readable \.mat file"),
        (mat(cells([[1, 2, 3, 4]]), cells(JOINTS, JOINTS)), "1 boxes for 2 people's joints"),
        (mat(cells([[1, 2, 3]]), cells(JOINTS)), r"a box of shape \(1, 3\), expected \(4,\) finite"),
        (mat(cells([[1, 2, 3, 4]]), cells(JOINTS[:13])), r"joints of shape \(13, 3\), expected \(14, 3\)"),
        (mat(cells([[1, 2, 3, np.nan]]), cells(JOINTS)), "finite numbers"),
        (mat(np.zeros((1, 4)), cells(JOINTS)), "has no cell array 'boxes'"),
    ],
)
def test_a_broken_file_of_joints_is_named(tmp_path, data, message):
    with pytest.raises(DataError, match=rf"^pascal/2008_000008: j\.zip!/PersonJoints/2008_000008\.mat: .*{message}"):
        read_one(write(tmp_path, joints=data))


def test_a_file_without_people_is_no_error():
    assert parse_joints(mat(np.empty((1, 0), object), np.empty((1, 0), object)), "x") == []


def test_a_list_that_names_a_missing_image_is_told(tmp_path):
    archives = write(tmp_path, lists={"train_id.txt": b"2008_000008\n2010_1\n"})
    with pytest.raises(DataError, match=r"train_id\.txt: names '2010_1', but JPEGImages lacks it\. Place pascal"):
        pascal_items(archives, "train")
