import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO as CocoApi

from pipeline.datasets.coco import coco_items
from pipeline.datasets.layout import read_item
from pipeline.errors import DataError
from pipeline.rle import encode_rle
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from tests import builders

SIZE = (30, 40)
SQUARE = [[5, 5, 20, 5, 20, 25, 5, 25]]
TWO_RINGS = [[1, 1, 8, 1, 8, 8, 1, 8], [12.5, 10.25, 30, 12, 22, 28.5]]
JOINTS = [value for joint in range(17) for value in (joint, 2 * joint, joint % 3)]


def run_lengths(mask: np.ndarray) -> dict:
    """An uncompressed RLE, as COCO stores crowds: column by column, beginning with zeros."""
    flat = mask.T.ravel().astype(int)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat, [1 - flat[-1]]])))
    return {"size": list(mask.shape), "counts": np.diff(np.concatenate([[0], changes])).tolist()}


def read_all(folder, split="val"):
    archives = Archives(folder)
    return [read_item(archives, item, "coco", split, LABEL_SETS["person"]) for item in coco_items(archives, split)]


def read_one(folder, annotations, size=SIZE, **content):
    whole = {**builders.coco_content({"1.jpg": size}, [{"image_id": 1, **one} for one in annotations]), **content}
    builders.write_coco(folder, {"1.jpg": builders.jpeg(*SIZE)}, whole)
    (record,) = read_all(folder)
    return record, whole


def truth(content, folder):
    path = folder / "truth.json"
    path.write_text(json.dumps(content))
    return CocoApi(str(path))


CROWD = np.zeros(SIZE, bool)
CROWD[3:9, 20:38] = CROWD[20:, :4] = True


def test_masks_equal_pycocotools(tmp_path, capsys):
    record, content = read_one(
        tmp_path,
        [
            {"segmentation": SQUARE, "bbox": [5, 5, 15, 20], "keypoints": JOINTS},
            {"segmentation": run_lengths(CROWD), "iscrowd": 1},
            {"segmentation": TWO_RINGS},
            {"segmentation": encode_rle(CROWD[::-1])},
        ],
    )
    api = truth(content, tmp_path)
    masks = [api.annToMask(annotation).astype(bool) for annotation in content["annotations"]]
    capsys.readouterr()
    assert len(record.people) == 4 and [bool(mask.any()) for mask in masks] == [True] * 4
    for row, mask in enumerate(masks):
        assert np.array_equal(record.people.mask(row), mask)
    assert np.array_equal(masks[1], CROWD)
    assert record.people.crowd.tolist() == [False, True, False, False]
    assert record.people.ids.tolist() == [1, 2, 3, 4] and record.people.boxes[0].tolist() == [5, 5, 15, 20]


def test_keypoints_and_their_visibility_are_kept(tmp_path):
    record, _ = read_one(tmp_path, [{"segmentation": SQUARE, "keypoints": JOINTS}, {"segmentation": SQUARE}])
    assert np.array_equal(record.people.keypoints[0], np.array(JOINTS, np.float32).reshape(17, 3))
    assert set(record.people.keypoints[0, :, 2]) == {0, 1, 2} and not record.people.keypoints[1].any()


def test_the_smaller_person_lies_on_top_and_crowds_are_ignored(tmp_path):
    small, large = [[10, 10, 14, 10, 14, 14, 10, 14]], SQUARE
    record, _ = read_one(
        tmp_path,
        [{"segmentation": small}, {"segmentation": large}, {"segmentation": run_lengths(CROWD), "iscrowd": 1}],
    )
    mask, ids = record.decode_mask(), record.decode_people()
    assert ids[12, 12] == 1 and ids[7, 7] == 2 and (ids[10:14, 10:14] == 1).all()
    person = record.people.mask(0) | record.people.mask(1)
    assert np.array_equal(mask == 1, person) and np.array_equal(ids > 0, person)
    assert np.array_equal(mask == 255, CROWD & ~person) and (mask[~person & ~CROWD] == 0).all()


def test_the_instances_serve_where_there_is_no_file_of_keypoints(tmp_path):
    content = builders.coco_content({"a.jpg": (12, 8)}, [{"image_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4]]}])
    content["categories"].append({"id": 18, "name": "dog"})
    content["annotations"].append({"id": 9, "image_id": 1, "category_id": 18, "bbox": [0, 0, 1, 1], "iscrowd": 0})
    builders.write_zip(tmp_path / "val2017.zip", [("val2017/a.jpg", builders.jpeg())])
    builders.write_zip(tmp_path / "j.zip", [("annotations/instances_val2017.json", json.dumps(content).encode())])
    (record,) = read_all(tmp_path)
    assert len(record.people) == 1 and record.people.mask(0).sum() == 16 and not record.people.keypoints.any()


def test_images_without_people_are_kept(tmp_path):
    sizes = {"a.jpg": (12, 8), "000000000002.jpg": SIZE}
    content = builders.coco_content(sizes, [{"image_id": 2, "segmentation": SQUARE}])
    builders.write_coco(tmp_path, {name: builders.jpeg(*hw) for name, hw in sizes.items()}, content)
    nobody, one = read_all(tmp_path)
    assert nobody.sample_id == "a" and len(nobody.people) == 0
    assert not nobody.decode_mask().any() and not nobody.decode_people().any()
    assert one.sample_id == "000000000002" and len(one.people) == 1


def test_other_categories_are_left_out(tmp_path):
    record, _ = read_one(
        tmp_path,
        [{"segmentation": SQUARE, "category_id": 3}, {"segmentation": TWO_RINGS}],
        categories=[{"id": 3, "name": "dog"}, {"id": 1, "name": "person"}],
    )
    assert len(record.people) == 1 and record.people.mask(0)[3, 3]


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_a_person_with_only_a_box_has_no_mask(tmp_path, segmentation):
    record, _ = read_one(tmp_path, [{"segmentation": segmentation, "bbox": [1, 2, 3, 4]}])
    assert record.people.rles == (None,) and record.people.boxes.tolist() == [[1, 2, 3, 4]] and record.mask is None


@pytest.mark.parametrize(
    "annotation, message",
    [
        ({"segmentation": {"size": [30, 40], "counts": [5, 5]}}, "no polygon and no RLE .*runs of 10 pixels in all"),
        ({"segmentation": {"size": [30, 40], "counts": "zzz"}}, "no polygon and no RLE"),
        ({"segmentation": {"size": [30, 40], "counts": ""}}, "no polygon and no RLE .*runs of 0 pixels"),
        ({"segmentation": {"counts": [1200]}}, "no polygon and no RLE"),
        ({"segmentation": run_lengths(CROWD.T)}, "a mask of .*the image is|no polygon and no RLE"),
        ({"segmentation": 5}, "no polygon and no RLE"),
        ({"segmentation": [["a", 1, 2, 3, 4, 5]]}, "no polygon and no RLE"),
    ],
)
def test_a_broken_mask_is_named(tmp_path, annotation, message):
    with pytest.raises(DataError, match=rf"^coco/1: val2017\.zip!/val2017/1\.jpg: .*{message}"):
        read_one(tmp_path, [annotation])


def test_an_image_of_another_size_than_the_json_says_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^coco/1: .*1\.jpg is 40x30, its annotations say 80x60"):
        read_one(tmp_path, [{"segmentation": SQUARE}], size=(60, 80))


@pytest.mark.parametrize(
    "annotation, message",
    [
        ({"bbox": [1, 2, 3]}, "annotation 1: expected a bbox of 4 numbers"),
        ({"bbox": [1, 2, 3, "x"]}, "annotation 1: expected a bbox of 4 numbers"),
        ({"bbox": [1, 2, 3, float("nan")]}, "annotation 1: expected a bbox of 4 numbers"),
        ({"bbox": None}, "not COCO's form"),
        ({"keypoints": [1, 2, 3]}, "annotation 1: .*51 of keypoints, found 4 and 3"),
    ],
)
def test_a_broken_annotation_is_named(tmp_path, annotation, message):
    with pytest.raises(DataError, match=rf"person_keypoints_val2017\.json.*{message}"):
        read_one(tmp_path, [{"segmentation": SQUARE, **annotation}])


@pytest.mark.parametrize(
    "content, message",
    [
        (b"{", "no readable JSON"),
        (b"[]", "holds list, expected COCO's images"),
        ({"images": []}, "not COCO's form, KeyError"),
        ({"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1, "name": "person"}]}, "not COCO's form"),
        ({"images": [], "annotations": [], "categories": []}, "has no category named 'person'"),
        (builders.coco_content({"2.jpg": SIZE}, []), r"names 2\.jpg, but val2017 lacks it"),
        (
            {
                **builders.coco_content({"1.jpg": SIZE}, []),
                "images": [{"id": i, "file_name": "1.jpg", "height": 30, "width": 40} for i in (1, 2)],
            },
            r"1\.jpg stands there twice",
        ),
    ],
)
def test_a_broken_json_is_named(tmp_path, content, message):
    builders.write_coco(tmp_path, {"1.jpg": builders.jpeg(*SIZE)}, content)
    with pytest.raises(DataError, match=rf"person_keypoints_val2017\.json: .*{message}"):
        read_all(tmp_path)


def test_more_people_than_a_map_of_ids_holds_are_told(tmp_path):
    with pytest.raises(DataError, match="255 people, at most 254"):
        read_one(tmp_path, [{"segmentation": SQUARE}] * 255)


@pytest.mark.skipif(not (builders.REAL / "coco").is_dir(), reason=f"no real COCO samples at {builders.REAL / 'coco'}")
def test_published_photos_and_annotations_are_read(tmp_path, capsys):
    folder = builders.REAL / "coco"
    content = json.loads((folder / "person_keypoints.json").read_text())
    images = {image["file_name"]: (folder / image["file_name"]).read_bytes() for image in content["images"]}
    builders.write_coco(tmp_path, images, content)
    records = {record.sample_id: record for record in read_all(tmp_path)}
    api = CocoApi(str(folder / "person_keypoints.json"))
    capsys.readouterr()
    seen = 0
    for image in content["images"]:
        record = records[image["file_name"].removesuffix(".jpg")]
        assert record.image == images[image["file_name"]]
        assert (record.height, record.width) == (image["height"], image["width"])
        annotations = [one for one in content["annotations"] if one["image_id"] == image["id"]]
        assert len(record.people) == len(annotations)
        union = np.zeros((record.height, record.width), bool)
        for row, annotation in enumerate(annotations):
            theirs = api.annToMask(annotation).astype(bool)
            union |= theirs
            assert np.array_equal(record.people.mask(row), theirs)
            assert coco_mask.area(record.people.rles[row]) == theirs.sum() > 0
            assert record.people.keypoints[row].ravel().tolist() == annotation["keypoints"]
            np.testing.assert_allclose(record.people.boxes[row], annotation["bbox"], rtol=1e-6)
            seen += 1
        assert np.array_equal(record.decode_mask() == 1, union)
    assert seen == 6
