import math

import numpy as np
import pandas
import pytest

from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.datasets.lip import LIP, lip_account, lip_items, parse_pose_csv
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from tests import builders
from tests.builders import NAN

MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 20


def read_all(folder, split="train"):
    archives = Archives(folder)
    return [read_item(archives, item, "lip", split, LABEL_SETS["lip"]) for item in lip_items(archives, split)]


def test_images_masks_and_joints_are_read_in_the_order_of_the_list(tmp_path):
    names = ["2_20", "1_10", "1.5_3 é"]
    images = {name: builders.jpeg(12, 8, seed) for seed, name in enumerate(names)}
    masks = {name: builders.png((MASK + seed) % 20) for seed, name in enumerate(names)}
    rows = [builders.pose_row("1_10", {0: (3, 4, 0), 15: (7, 11, 1)}), builders.pose_row("2_20", {})]
    builders.write_lip(tmp_path, images, dict(reversed(masks.items())), rows, ids=[names[1], names[0], names[2]])
    records = read_all(tmp_path)
    assert [record.sample_id for record in records] == ["1_10", "2_20", "1.5_3 é"]
    for record in records:
        seed = names.index(record.sample_id)
        assert record.image == images[record.sample_id] and record.split == "train"
        assert np.array_equal(record.decode_mask(), (MASK + seed) % 20) and record.people_map is None
        assert record.people.boxes.tolist() == [[0, 0, 8, 12]]
        assert (record.width, record.height) == (8, 12)
    first, second, third = (record.people.keypoints[0] for record in records)
    assert first[0].tolist() == [3, 4, 2] and first[15].tolist() == [7, 11, 1] and not first[1:15].any()
    # All joints nan, and no row at all: nothing is annotated.
    assert not second.any() and not third.any()


def test_a_set_without_the_pose_archive_has_no_joints(tmp_path):
    builders.write_lip(tmp_path, {"1_1": builders.jpeg()}, {"1_1": builders.png(MASK)})
    assert not read_all(tmp_path)[0].people.keypoints.any()


def test_test_images_need_no_labels(tmp_path):
    builders.write_zip(
        tmp_path / "Testing_images.zip",
        [("Testing_images/testing_images/5_6.jpg", builders.jpeg()), ("Testing_images/test_id.txt", b"5_6\r\n\n")],
    )
    (record,) = read_all(tmp_path, "test")
    assert record.sample_id == "5_6" and record.mask is None and record.split == "test"


def test_the_csv_has_one_for_occluded_zero_for_visible_and_nan_for_missing():
    row = builders.pose_row("a.b_1", {0: (1, 2, 0), 1: (3, 4, 1), 3: (0, 0, 0)})
    joints = np.array(parse_pose_csv(builders.csv_bytes([row]).decode(), "x.csv")["a.b_1"]).reshape(16, 3)
    assert joints[:4].tolist() == [[1, 2, 2], [3, 4, 1], [0, 0, 0], [0, 0, 2]] and not joints[4:].any()


GOOD = builders.pose_row("1_1", {0: (1, 2, 0)})


@pytest.mark.parametrize(
    "rows, message",
    [
        ([GOOD, GOOD[:-1]], r"x\.csv, row 2: 48 fields, expected 49"),
        ([[*GOOD, "1"]], r"x\.csv, row 1: 50 fields, expected 49"),
        ([GOOD, ["2_2.jpg", "left", *GOOD[2:]]], r"x\.csv, row 2: could not convert string to float: 'left'"),
        ([["2_2.jpg", "inf", *GOOD[2:]]], r"x\.csv, row 1: a number is infinite"),
        ([GOOD, builders.pose_row("2_2", {}), GOOD], r"x\.csv, row 3: '1_1' stands there twice"),
    ],
)
def test_a_malformed_csv_names_its_row(rows, message):
    with pytest.raises(DataError, match=message):
        parse_pose_csv(builders.csv_bytes(rows).decode(), "x.csv")


def test_an_id_without_image_or_mask_is_told(tmp_path):
    image, mask = {"1_1": builders.jpeg()}, {"1_1": builders.png(MASK)}
    builders.write_lip(tmp_path / "image", image, mask, ids=["1_1", "2_2"])
    with pytest.raises(DataError, match=r"train_id\.txt: names '2_2', but no image of that name is there"):
        lip_items(Archives(tmp_path / "image"), "train")
    builders.write_lip(tmp_path / "mask", image, {}, ids=["1_1"])
    with pytest.raises(DataError, match=r"train_id\.txt: names '1_1', but no mask of that name is there"):
        lip_items(Archives(tmp_path / "mask"), "train")


def test_an_id_that_is_listed_twice_is_told(tmp_path):
    builders.write_lip(tmp_path, {"1_1": builders.jpeg()}, {"1_1": builders.png(MASK)}, ids=["1_1", "1_1"])
    with pytest.raises(DataError, match=r"train_id\.txt: '1_1' stands there twice"):
        lip_items(Archives(tmp_path), "train")


def test_a_missing_list_says_what_to_place_where(tmp_path):
    builders.write_zip(tmp_path / "x.zip", [("x", b"")])
    with pytest.raises(DataError, match=r"no archive there holds train_id\.txt\. Place LIP's TrainVal_images\.zip"):
        lip_items(Archives(tmp_path), "train")


@pytest.mark.parametrize(
    "image, mask, message",
    [
        (builders.jpeg(), builders.png(np.zeros((12, 9))), r"1_1\.png is 9x12, its image is 8x12\. Export one"),
        (builders.jpeg(), builders.png(np.full((12, 8), 20)), r"holds the ids \[20\], label set 'lip' has 0 to 19"),
        (builders.jpeg(), builders.png(np.zeros((12, 8, 3))), r"1_1\.png: a map of uint8 with shape \(12, 8, 3\)"),
        (builders.jpeg(), b"", r"1_1\.png: not a readable PNG \(0 bytes\)"),
        (b"", builders.png(MASK), r"1_1\.jpg: not a readable JPEG or PNG \(0 bytes\)"),
        (builders.jpeg(200, 200)[:5000], builders.png(MASK), r"1_1\.jpg: the JPEG is cut off \(5000 bytes"),
    ],
)
def test_a_broken_sample_is_named_with_its_reason(tmp_path, image, mask, message):
    builders.write_lip(tmp_path, {"1_1": image}, {"1_1": mask})
    with pytest.raises(DataError, match=rf"^lip/1_1: .*{message}"):
        read_all(tmp_path)


def test_255_in_a_mask_is_ignored_and_allowed(tmp_path):
    mask = MASK.copy()
    mask[0] = 255
    builders.write_lip(tmp_path, {"1_1": builders.jpeg()}, {"1_1": builders.png(mask)})
    assert (read_all(tmp_path)[0].decode_mask()[0] == 255).all()


def test_a_photo_with_exif_is_measured_upright(tmp_path):
    turned = builders.exif_rotated(builders.jpeg(8, 12))
    builders.write_lip(tmp_path, {"1_1": turned}, {"1_1": builders.png(MASK)})
    (record,) = read_all(tmp_path)
    assert (record.width, record.height) == (8, 12) and record.decode_image().shape == (12, 8, 3)
    assert record.image == turned


def test_what_no_list_names_is_counted(tmp_path):
    mask = builders.png(MASK)
    rows = [builders.pose_row("a_1", {0: (1, 2, 0)}), builders.pose_row("z_9", {0: (1, 2, 0)})]
    builders.write_lip(
        tmp_path,
        {name: builders.jpeg() for name in ("a_1", "b_2", "c_3")},
        {"a_1": mask, "b_2": mask},
        rows,
        ["a_1", "b_2"],
    )
    assert lip_account(Archives(tmp_path), ReaderOptions(splits=("train",))) == {
        "unlisted_images": 1, "images_without_joints": 1, "joints_without_image": 1,
    }  # fmt: skip


def test_published_counts():
    assert LIP.published == {"train": 30462, "val": 10000, "test": 10000}


real = pytest.mark.skipif(
    not (builders.REAL / "lip").is_dir(), reason=f"no real LIP samples at {builders.REAL / 'lip'}"
)


@real
def test_the_published_csv_is_read_as_pandas_reads_it():
    path = builders.REAL / "lip/lip_val_set.head500.csv"
    table = pandas.read_csv(path, header=None)
    joints = parse_pose_csv(path.read_text(), path.name)
    assert list(joints) == [name.removesuffix(".jpg") for name in table[0]] and len(joints) == 500
    ours = np.array(list(joints.values())).reshape(500, 16, 3)
    theirs = table.iloc[:, 1:].to_numpy(float).reshape(500, 16, 3)
    missing = np.isnan(theirs).all(axis=2)
    assert np.array_equal(np.isnan(theirs).any(axis=2), missing) and 0 < missing.sum() < 1600
    assert (ours[missing] == 0).all()
    assert np.array_equal(ours[~missing][:, :2], theirs[~missing][:, :2])
    for theirs_v, ours_v in ((0, 2), (1, 1)):
        assert (theirs[..., 2] == theirs_v).sum() == (ours[..., 2] == ours_v).sum() > 300
    assert (ours[..., 2] == 0).sum() == missing.sum()


@real
def test_the_first_published_row_by_hand():
    text = (builders.REAL / "lip/lip_val_set.head500.csv").read_text()
    joints = np.array(parse_pose_csv(text, "x")["100034_483681"]).reshape(16, 3)
    assert joints[[0, 2, 10, 15]].tolist() == [[153, 351, 2], [0, 0, 0], [118, 201, 1], [81, 208, 2]]


@real
def test_a_published_image_and_mask_are_read(tmp_path):
    name = "684_2150041"
    image = (builders.REAL / f"lip/train_images/{name}.jpg").read_bytes()
    mask = (builders.REAL / f"lip/train_segmentations/{name}.png").read_bytes()
    builders.write_lip(tmp_path, {name: image}, {name: mask}, [builders.pose_row(name, {9: (NAN, NAN, NAN)})])
    (record,) = read_all(tmp_path)
    assert record.image == image and record.mask == mask
    decoded = record.decode_mask()
    assert decoded.shape == (record.height, record.width) == record.decode_image().shape[:2]
    assert 5 < len(np.unique(decoded)) <= 20 and decoded.max() < 20
    assert math.isclose(float(np.abs(record.decode_image().astype(int) - builders.decode_jpeg(image)).max()), 0)
