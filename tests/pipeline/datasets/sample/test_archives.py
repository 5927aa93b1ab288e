import io
import json
import zipfile

import cv2
import numpy as np
import pytest
import scipy.io
from PIL import Image

from pipeline.datasets.sample.archives import LAYOUTS, write_archives
from pipeline.taxonomy import voc_palette

COUNTS = {
    "lip": {"train": 4, "val": 3, "test": 1},
    "cihp": {"train": 2, "val": 1, "test": 1},
    "atr": {"train": 5, "val": 1, "test": 1},
    "pascal": {"train": 2, "val": 2},
    "coco": {"train": 3, "val": 1},
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Data set -> folder with its archives."""
    folders = {}
    for dataset, counts in COUNTS.items():
        folders[dataset] = tmp_path_factory.mktemp(dataset)
        write_archives(dataset, folders[dataset], counts, seed=1)
    return folders


def names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def read(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def ids(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    one = write_archives("lip", tmp_path / "one", {"train": 3, "val": 1}, seed=3, workers=1)
    two = write_archives("lip", tmp_path / "two", {"train": 3, "val": 1}, seed=3, workers=2)
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_smaller_set_is_the_beginning_of_a_larger_one(written, tmp_path):
    write_archives("lip", tmp_path, {"train": 1}, seed=1)
    first = names(tmp_path / "TrainVal_images.zip")[0]
    large = written["lip"] / "TrainVal_images.zip"
    assert read(tmp_path / "TrainVal_images.zip", first) == read(large, first)


def test_other_seed_draws_other_images(written, tmp_path):
    write_archives("lip", tmp_path, {"train": 1}, seed=2)
    first = names(tmp_path / "TrainVal_images.zip")[0]
    assert read(tmp_path / "TrainVal_images.zip", first) != read(written["lip"] / "TrainVal_images.zip", first)


def test_progress_counts_the_images(tmp_path):
    seen = []
    write_archives("atr", tmp_path, {"train": 2}, seed=1, progress=seen.append)
    assert seen == [1, 2]


def test_no_temporary_files_stay_behind(written):
    assert not [path for folder in written.values() for path in folder.iterdir() if path.suffix == ".part"]


def test_members_have_fixed_dates_and_modes(written):
    with zipfile.ZipFile(written["lip"] / "TrainVal_images.zip") as archive:
        for entry in archive.infolist():
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert entry.external_attr >> 16 == 0o100644


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dataset": "cityscapes"}, "dataset: got 'cityscapes', expected one of lip"),
        ({"images": {"train": -1}}, "images: got -1 for 'train'"),
        ({"dataset": "coco", "images": {"test": 1}}, "images: coco has no split 'test'"),
        ({"seed": -1}, "seed: got -1"),
        ({"workers": 0}, "workers: got 0"),
    ],
)
def test_bad_arguments_are_named(change, message, tmp_path):
    arguments = {"dataset": "lip", "images": {"train": 1}, "seed": 0} | change
    with pytest.raises(ValueError, match=message):
        write_archives(folder=tmp_path, **arguments)


def test_failure_leaves_nothing_behind(tmp_path):
    def fail(done):
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_archives("lip", tmp_path, {"train": 1}, seed=0, progress=fail)
    assert list(tmp_path.iterdir()) == []


class TestLip:
    def test_archives_and_members(self, written):
        folder = written["lip"]
        assert {path.name for path in folder.iterdir()} == {
            "TrainVal_images.zip",
            "TrainVal_parsing_annotations.zip",
            "TrainVal_pose_annotations.zip",
            "Testing_images.zip",
        }
        stems = read(folder / "TrainVal_images.zip", "TrainVal_images/train_id.txt").decode().split()
        assert len(stems) == 4 and stems == sorted(stems)
        images = names(folder / "TrainVal_images.zip")
        assert all(f"TrainVal_images/train_images/{stem}.jpg" in images for stem in stems)
        assert names(folder / "TrainVal_pose_annotations.zip") == [
            "TrainVal_pose_annotations/lip_train_set.csv",
            "TrainVal_pose_annotations/lip_val_set.csv",
        ]
        assert [name.split("/")[:2] for name in names(folder / "Testing_images.zip")] == [
            ["Testing_images", "testing_images"],
            ["Testing_images", "test_id.txt"],
        ]

    def test_masks_lie_in_a_stored_zip_within_the_zip(self, written):
        path = written["lip"] / "TrainVal_parsing_annotations.zip"
        inner_name = "TrainVal_parsing_annotations/TrainVal_parsing_annotations.zip"
        assert names(path) == [inner_name]
        with zipfile.ZipFile(path) as outer:
            assert outer.getinfo(inner_name).compress_type == zipfile.ZIP_STORED
        with zipfile.ZipFile(io.BytesIO(read(path, inner_name))) as inner:
            members = inner.namelist()
            assert sum(name.startswith("TrainVal_parsing_annotations/train_segmentations/") for name in members) == 4
            for name in members:
                mask = ids(inner.read(name))
                assert mask.ndim == 2 and mask.dtype == np.uint8 and mask.max() < 20
                split = name.split("/")[1].removesuffix("_segmentations")
                image_name = f"TrainVal_images/{split}_images/{name.split('/')[-1][:-4]}.jpg"
                assert ids(read(written["lip"] / "TrainVal_images.zip", image_name)).shape[:2] == mask.shape

    def test_csv_rows(self, written):
        rows = read(written["lip"] / "TrainVal_pose_annotations.zip", "TrainVal_pose_annotations/lip_val_set.csv")
        stems = read(written["lip"] / "TrainVal_images.zip", "TrainVal_images/val_id.txt").decode().split()
        fields = [row.split(",") for row in rows.decode().splitlines()]
        assert [row[0] for row in fields] == [f"{stem}.jpg" for stem in stems]
        visibility = [value for row in fields for value in row[3::3]]
        assert all(len(row) == 49 for row in fields)
        assert set(visibility) <= {"0", "1", "nan"} and visibility.count("0") > visibility.count("1")
        for row in fields:
            for x, y, v in zip(row[1::3], row[2::3], row[3::3], strict=True):
                assert (x == y == "nan") if v == "nan" else (x.isdigit() and y.isdigit())

    def test_some_people_of_val_share_a_source_image_with_train(self, written):
        archive = written["lip"] / "TrainVal_images.zip"
        train, val = (
            {stem.split("_")[0] for stem in read(archive, f"TrainVal_images/{split}_id.txt").decode().split()}
            for split in ("train", "val")
        )
        assert train & val and not val <= train


class TestCihp:
    ARCHIVE = "instance-level_human_parsing.zip"

    def test_members(self, written):
        found = names(written["cihp"] / self.ARCHIVE)
        root = "instance-level_human_parsing"
        folders = ("Images", "Category_ids", "Human_ids", "Instance_ids", "Categories", "Human", "Instances")
        for folder in folders:
            ending = "jpg" if folder == "Images" else "png"
            assert f"{root}/Training/{folder}/0000001.{ending}" in found
        assert [name for name in found if "/Testing/" in name] == [
            f"{root}/Testing/Images/0000003.jpg",
            f"{root}/Testing/test_id.txt",
        ]
        assert read(written["cihp"] / self.ARCHIVE, f"{root}/Training/train_id.txt") == b"0000001\n0000004\n"

    def test_instance_ids_join_person_and_class(self, written):
        maps = {
            kind: ids(read(written["cihp"] / self.ARCHIVE, f"instance-level_human_parsing/Training/{kind}/0000001.png"))
            for kind in ("Category_ids", "Human_ids", "Instance_ids", "Categories")
        }
        people, parts = maps["Human_ids"].astype(int), maps["Category_ids"].astype(int)
        assert np.array_equal(people > 0, parts > 0) and people.max() >= 1
        assert np.array_equal(maps["Instance_ids"], np.where(people > 0, (people - 1) * 20 + parts, 0))
        assert np.array_equal(maps["Categories"][..., ::-1], voc_palette()[parts])


class TestAtr:
    def test_files_and_names(self, written):
        folder = written["atr"]
        assert {path.name for path in folder.iterdir()} == {
            "humanparsing.zip",
            "train_id.txt",
            "val_id.txt",
            "test_id.txt",
        }
        train = (folder / "train_id.txt").read_text().split()
        assert set(train) == {"dataset10k_1", "2500_4", "dataset10k_7", "fash_10", "Multi_13"}
        members = names(folder / "humanparsing.zip")
        assert len(members) == 14
        for stem in train:
            assert f"humanparsing/JPEGImages/{stem}.jpg" in members
            mask = ids(read(folder / "humanparsing.zip", f"humanparsing/SegmentationClassAug/{stem}.png"))
            assert mask.ndim == 2 and mask.max() < 18


class TestPascal:
    def test_masks_are_palette_images(self, written):
        archive = written["pascal"] / "pascal_person_part.zip"
        masks = [name for name in names(archive) if name.endswith(".png")]
        assert len(masks) == 4
        for name in masks:
            image = Image.open(io.BytesIO(read(archive, name)))
            assert image.mode == "P"
            assert np.array_equal(np.array(image.getpalette()).reshape(-1, 3)[:7], voc_palette()[:7])
            assert np.asarray(image).max() <= 6

    def test_lists(self, written):
        archive = written["pascal"] / "pascal_person_part.zip"
        folder = "pascal_person_part/pascal_person_part_trainval_list"
        assert read(archive, f"{folder}/train_id.txt") == b"2008_000001\n2009_000003\n"
        first = read(archive, f"{folder}/train.txt").decode().splitlines()[0]
        assert first == "/JPEGImages/2008_000001.jpg /pascal_person_part_gt/2008_000001.png"
        assert len(read(archive, f"{folder}/trainval.txt").splitlines()) == 4
        images = names(written["pascal"] / "VOCtrainval_11-May-2012.zip")
        assert "VOCdevkit/VOC2012/JPEGImages/2008_000001.jpg" in images

    def test_joints_and_boxes(self, written):
        archive = written["pascal"] / "PersonJoints.zip"
        for name in names(archive):
            table = scipy.io.loadmat(io.BytesIO(read(archive, name)))
            assert table["boxes"].shape == table["joints"].shape and table["boxes"].shape[0] == 1
            for box, joints in zip(table["boxes"][0], table["joints"][0], strict=True):
                assert box.shape == (1, 4) and joints.shape == (14, 3)
                visible = joints[joints[:, 2] == 2]
                assert (visible[:, 0] >= box[0, 0] - 0.5).all() and (visible[:, 0] <= box[0, 2] + 0.5).all()


class TestCoco:
    def test_members(self, written):
        folder = written["coco"]
        assert names(folder / "train2017.zip")[0] == "train2017/000000000001.jpg"
        assert names(folder / "val2017.zip") == ["val2017/000000000002.jpg"]
        assert sorted(names(folder / "annotations_trainval2017.zip")) == [
            f"annotations/{kind}_{split}2017.json"
            for kind in ("instances", "person_keypoints")
            for split in ("train", "val")
        ]

    def test_keypoint_file_holds_people_only(self, written):
        archive = written["coco"] / "annotations_trainval2017.zip"
        people, instances = (
            json.loads(read(archive, f"annotations/{kind}_train2017.json"))
            for kind in ("person_keypoints", "instances")
        )
        assert [category["name"] for category in instances["categories"]] == ["person", "bench"]
        assert len(people["categories"][0]["keypoints"]) == 17 and len(people["categories"][0]["skeleton"]) == 16
        known = {annotation["id"]: annotation for annotation in instances["annotations"]}
        assert min(known) == 1 and len(known) == len(instances["annotations"])
        for annotation in people["annotations"]:
            assert known[annotation["id"]]["bbox"] == annotation["bbox"]
            assert len(annotation["keypoints"]) == 51
            assert annotation["num_keypoints"] == sum(v > 0 for v in annotation["keypoints"][2::3])


def test_every_layout_is_tested():
    assert set(COUNTS) == set(LAYOUTS)
