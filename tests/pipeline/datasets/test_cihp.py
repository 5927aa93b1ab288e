import numpy as np
import pytest

from pipeline.datasets.cihp import CIHP, cihp_items
from pipeline.datasets.layout import read_item
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from tests import builders

PARTS = np.zeros((12, 8), np.uint8)
PARTS[1:5, 0:3], PARTS[6:11, 4:8] = 10, 13
PEOPLE = np.zeros((12, 8), np.uint8)
PEOPLE[1:5, 0:3], PEOPLE[6:11, 4:8] = 1, 3


def read_all(folder, split="train"):
    archives = Archives(folder)
    return [read_item(archives, item, "cihp", split, LABEL_SETS["cihp"]) for item in cihp_items(archives, split)]


def test_parts_people_and_boxes_are_read(tmp_path):
    builders.write_cihp(
        tmp_path,
        {
            "0000002": (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE)),
            "0000001": (builders.jpeg(seed=1), builders.png(PARTS * 0), builders.png(PEOPLE * 0)),
        },
    )
    two, nobody = read_all(tmp_path)
    assert (two.sample_id, nobody.sample_id) == ("0000002", "0000001")
    assert two.people.ids.tolist() == [1, 3] and two.people.boxes.tolist() == [[0, 1, 3, 4], [4, 6, 4, 5]]
    assert two.people.keypoints is None and np.array_equal(two.people.mask(1), PEOPLE == 3)
    assert np.array_equal(two.decode_mask(), PARTS) and np.array_equal(two.decode_people(), PEOPLE)
    assert len(nobody.people) == 0


@pytest.mark.parametrize("kind, present", [("Human_ids", (1, 0)), ("Category_ids", (0, 1))])
def test_missing_labels_are_told(tmp_path, kind, present):
    parts, people = builders.png(PARTS) if present[0] else None, builders.png(PEOPLE) if present[1] else None
    builders.write_cihp(tmp_path, {"0000001": (builders.jpeg(), parts, people)})
    with pytest.raises(DataError, match=rf"train_id\.txt: names '0000001', but Training/{kind} lacks it"):
        cihp_items(Archives(tmp_path), "train")


def test_test_images_need_no_labels(tmp_path):
    top = "instance-level_human_parsing/Testing"
    builders.write_zip(
        tmp_path / "a.zip", [(f"{top}/Images/0000009.jpg", builders.jpeg()), (f"{top}/test_id.txt", b"0000009")]
    )
    (record,) = read_all(tmp_path, "test")
    assert record.mask is None and record.people_map is None and len(record.people) == 0


def test_person_ids_of_another_size_are_named(tmp_path):
    builders.write_cihp(tmp_path, {"1": (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE[:, 1:]))})
    with pytest.raises(DataError, match=r"^cihp/1: .*Human_ids/1\.png is 7x12, its image is 8x12"):
        read_all(tmp_path)


def test_the_splits_folders_are_not_mixed_up(tmp_path):
    members = []
    for folder, split, seed in (("Training", "train", 1), ("Validation", "val", 2)):
        for kind, data in (
            ("Images", builders.jpeg(seed=seed)), ("Category_ids", builders.png(PARTS)), ("Human_ids", builders.png(PEOPLE)),
        ):  # fmt: skip
            members.append((f"{folder}/{kind}/7.{'jpg' if kind == 'Images' else 'png'}", data))
        members.append((f"{folder}/{split}_id.txt", b"7"))
    builders.write_zip(tmp_path / "a.zip", members)
    assert read_all(tmp_path, "train")[0].image == builders.jpeg(seed=1)
    assert read_all(tmp_path, "val")[0].image == builders.jpeg(seed=2)
    assert CIHP.published == {"train": 28280, "val": 5000, "test": 5000}
