import json
from itertools import chain

import pytest

from pipeline.datasets.coco_json import COCO_JSON, coco_json_account, coco_json_items
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, LabelSet
from tests import builders

SIZE = (30, 40)
SQUARE, SMALL = [[5, 5, 20, 5, 20, 25, 5, 25]], [[10, 10, 14, 10, 14, 14, 10, 14]]
PARTS = LabelSet("shop", ("background", "upper-clothes", "left-arm", "right-arm"))
CATEGORIES = [{"id": 7, "name": "Upper clothes"}, {"id": 8, "name": "left_arm"}, {"id": 9, "name": "Person"}]


def write(folder, annotations, names=("photos/a 1.jpg",), categories=CATEGORIES, **changes):
    content = {
        **builders.coco_content(dict.fromkeys(names, SIZE), [{"image_id": 1, **one} for one in annotations]),
        "categories": categories, **changes,
    }  # fmt: skip
    members = [(name.replace("\\", "/"), builders.jpeg(*SIZE, seed)) for seed, name in enumerate(names)]
    builders.write_zip(folder / "a.zip", [*members, ("labels/train.json", json.dumps(content).encode())])
    return Archives(folder)


def options(label_set=PARTS, **given):
    return ReaderOptions(
        **{"splits": ("train",), "annotations": {"train": "train.json"}, "label_set": label_set, **given}
    )


def read_all(archives, label_set=PARTS, **given):
    items = coco_json_items(archives, "train", options(label_set, **given))
    return [read_item(archives, item, "mine", "train", label_set, COCO_JSON.labels) for item in items]


def test_categories_named_as_parts_become_a_mask_the_smaller_on_top(tmp_path):
    archives = write(tmp_path, [{"category_id": 8, "segmentation": SMALL}, {"category_id": 7, "segmentation": SQUARE}])
    (record,) = read_all(archives)
    mask = record.decode_mask()
    assert record.sample_id == "a 1" and len(record.people) == 0 and record.people_map is None
    assert (mask[10:14, 10:14] == 2).all() and mask[7, 7] == 1 and mask[0, 0] == 0 and (mask == 1).sum() == 20 * 15 - 16


def test_people_beside_parts_give_person_ids_and_joints(tmp_path):
    joints = [1, 2, 2, 0, 0, 0, 5, 6, 1]
    archives = write(
        tmp_path,
        [
            {"category_id": 9, "segmentation": SQUARE, "bbox": [5, 5, 15, 20], "keypoints": joints},
            {"category_id": 9, "segmentation": None, "bbox": [30, 1, 5, 5]},
            {"category_id": 7, "segmentation": SMALL},
        ],
    )
    (record,) = read_all(archives, num_keypoints=3)
    assert record.people.ids.tolist() == [1, 2] and record.people.rles[1] is None
    assert record.people.keypoints[0].ravel().tolist() == joints and not record.people.keypoints[1].any()
    assert (record.decode_people() == 1).sum() == 300 and (record.decode_mask() == 1).sum() == 16
    (without,) = read_all(archives)
    assert without.people.keypoints is None
    assert coco_json_account(archives, options())["keypoints_not_read"] == 1


def test_people_alone_are_label_set_person_and_other_categories_are_counted(tmp_path):
    archives = write(tmp_path, [{"category_id": 9, "segmentation": SQUARE}, {"category_id": 8, "segmentation": SMALL}])
    (record,) = read_all(archives, LABEL_SETS["person"])
    assert (record.decode_mask() == 1).sum() == 300 and len(record.people) == 1
    account = coco_json_account(archives, options(LABEL_SETS["person"]))
    assert account == {
        "split": "JSON files", "unlisted_images": 0, "annotations_of_other_categories": 1, "keypoints_not_read": 0,
    }  # fmt: skip


def test_images_without_annotations_are_kept_in_order(tmp_path):
    archives = write(tmp_path, [{"category_id": 7, "segmentation": SQUARE}], names=("z.jpg", "写真.jpg"))
    one, two = read_all(archives, people="single")
    assert [one.sample_id, two.sample_id] == ["z", "写真"] and not two.decode_mask().any()
    assert len(one.people) == len(two.people) == 1


def test_equal_stems_in_two_folders_keep_their_folders_names(tmp_path):
    archives = write(tmp_path, [], names=("v1\\0001.jpg", "v2/0001.jpg", "v2/0002.jpg"))
    assert [item.sample_id for item in coco_json_items(archives, "train", options())] == ["v1_0001", "v2_0001", "0002"]


@pytest.mark.parametrize(
    "annotations, changes, message",
    [
        ([{"category_id": 1}], {"categories": [{"id": 1, "name": "wheel"}]}, "category 'wheel' is neither `person` nor a class"),
        ([{"category_id": 5}], {}, "not COCO's form, KeyError"),
        ([{"category_id": 7, "image_id": 4, "segmentation": SQUARE}], {}, "an annotation is of image 4, which `images` lacks"),
        ([{"category_id": 7, "segmentation": []}], {}, "annotation 1: a part without a segmentation"),
        ([{"category_id": 7, "segmentation": 5}], {}, "a segmentation is no polygon"),
        ([], {"images": [{"id": 1, "file_name": "x.jpg", "height": 30, "width": 40}]}, r"names x\.jpg, but no archive"),
        ([], {"images": [{"id": 1, "file_name": "a 1.jpg", "height": 3, "width": 4}]}, "its annotations say 4x3"),
        ([], {"images": [{"id": i, "file_name": "a 1.jpg", "height": 30, "width": 40} for i in (1, 2)]}, "stands there twice"),
        ([], {"categories": "none"}, "not COCO's form"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, annotations, changes, message):
    with pytest.raises(DataError, match=message):
        read_all(write(tmp_path, annotations, **changes))


def test_a_missing_json_is_told(tmp_path):
    archives = write(tmp_path, [])
    with pytest.raises(DataError, match=r"holds val\.json\. Mend `annotations\.val`"):
        coco_json_items(archives, "val", options(annotations={"val": "val.json"}))
    with pytest.raises(DataError, match="has no category named 'person'"):
        read_all(write(tmp_path / "b", [], categories=[]), LABEL_SETS["person"])


def test_one_json_of_several_splits_is_dealt_out_by_the_seed(tmp_path):
    names = [f"{number}.jpg" for number in range(20)]
    archives = write(tmp_path, [], names)
    splits = ("train", "val", "test")
    given = options(splits=splits, annotations=dict.fromkeys(splits, "train.json"), seed=3)
    found = {split: [item.sample_id for item in coco_json_items(archives, split, given)] for split in splits}
    assert [len(ids) for ids in found.values()] == [16, 2, 2]
    assert sorted(chain(*found.values())) == sorted(str(number) for number in range(20))
    assert coco_json_account(archives, given)["split"] == "drawn by seed 3"


def test_images_that_no_json_names_are_counted(tmp_path):
    write(tmp_path, [])
    builders.write_zip(tmp_path / "b.zip", [("more/x.jpg", b""), ("more/x.txt", b"")])
    assert coco_json_account(Archives(tmp_path), options())["unlisted_images"] == 1
