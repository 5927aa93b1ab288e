import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools.coco import COCO as CocoApi
from pycocotools.cocoeval import COCOeval

from pipeline.datasets.coco_json import COCO_JSON, coco_json_items
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import ParamsError
from pipeline.images import encode_png
from pipeline.sources.archives import Archives
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS, LabelSet
from tests import builders
from tests.pipeline.export.builders import exported, part_mask, read_image, sample, samples

LIP = LABEL_SETS["lip"]


def load(out, split):
    with contextlib.redirect_stdout(io.StringIO()):
        return CocoApi(str(out / "annotations" / f"{split}.json"))


def of_image(api, image_id, category):
    return api.loadAnns(api.getAnnIds(imgIds=[image_id], catIds=[category]))


@pytest.mark.parametrize("split", ["train", "val"])
def test_pycocotools_loads_images_people_parts_and_joints(tmp_path, split):
    content = samples()
    out = exported(tmp_path, "coco", content)
    api = load(out, split)
    assert [one["sample_id"] for one in api.dataset["images"]] == [one.sample_id for one in content[split]]
    assert [one["id"] for one in api.dataset["images"]] == list(range(1, len(content[split]) + 1))
    numbers = [one["id"] for one in api.dataset["annotations"]]
    assert numbers == list(range(1, len(numbers) + 1))
    for image, one in zip(api.dataset["images"], content[split], strict=True):
        assert np.array_equal(read_image(out / split / image["file_name"]), one.decode_image())
        assert (image["height"], image["width"]) == one.decode_mask().shape
        mask, rebuilt = one.decode_mask(), np.zeros((one.height, one.width), np.uint8)
        for part in range(1, 20):
            for annotation in of_image(api, image["id"], api.getCatIds(catNms=[LIP.part_names[part]])[0]):
                region = api.annToMask(annotation).astype(bool)
                assert region.any() and not rebuilt[region].any()
                rebuilt[region] = part
                ys, xs = np.nonzero(region)
                assert annotation["area"] == region.sum() and annotation["iscrowd"] == 0
                assert annotation["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
        person, crowd = of_image(api, image["id"], 1)
        assert (person["iscrowd"], crowd["iscrowd"]) == (0, 1)
        rebuilt[api.annToMask(crowd).astype(bool)] = 255
        assert np.array_equal(rebuilt, mask)
        assert np.array_equal(api.annToMask(person).astype(bool), (mask > 0) & (mask < 255))
        assert np.array_equal(np.array(person["keypoints"], np.float32).reshape(16, 3), one.keypoints)
        assert person["num_keypoints"] == (one.keypoints[:, 2] > 0).sum() == 6
        assert crowd["num_keypoints"] == 0 and not any(crowd["keypoints"])
    (category,) = api.loadCats([1])
    assert category["keypoints"] == list(KEYPOINT_SETS["lip16"].keypoint_names)
    names = [{category["keypoints"][one - 1], category["keypoints"][other - 1]} for one, other in category["skeleton"]]
    assert {"left-knee", "left-ankle"} in names and len(names) == len(KEYPOINT_SETS["lip16"].limbs)


@pytest.mark.parametrize("kind", ["segm", "keypoints", "bbox"])
def test_cocoeval_gives_the_truth_itself_full_marks(tmp_path, kind):
    # Areas above 32 x 32, which keypoints are judged from.
    content = {"val": [sample(f"{seed}", split="val", image=builders.jpeg(80, 60), height=80, width=60,
                              mask=encode_png(part_mask(seed, (80, 60))), edge=None) for seed in range(2)]}  # fmt: skip
    api = load(exported(tmp_path, "coco", content), "val")
    people = [one for one in api.dataset["annotations"] if one["category_id"] == 1 and not one["iscrowd"]]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(api, api.loadRes([{**one, "score": 0.9} for one in people]), kind)
        evaluation.params.catIds = [1]
        if kind == "keypoints":
            evaluation.params.kpt_oks_sigmas = np.full(16, 0.05)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def read_back(tmp_path, out, split, parts, num_keypoints):
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    builders.write_zip(
        tmp_path / "raw/unpacked.zip", [(path.relative_to(out).as_posix(), path.read_bytes()) for path in files]
    )
    archives = Archives(tmp_path / "raw")
    options = ReaderOptions(
        splits=("train", "val"), annotations={split: f"annotations/{split}.json" for split in ("train", "val")},
        people="single", label_set=parts, num_keypoints=num_keypoints,
    )  # fmt: skip
    items = coco_json_items(archives, split, options)
    return [read_item(archives, item, "back", split, parts, COCO_JSON.labels) for item in items]


@pytest.mark.parametrize("split", ["train", "val"])
def test_our_own_reader_takes_it_back(tmp_path, split):
    content = samples()
    out = exported(tmp_path, "coco", content)
    for record, one in zip(read_back(tmp_path, out, split, LIP, 16), content[split], strict=True):
        mask = one.decode_mask()
        assert record.image == one.image and record.sample_id == one.sample_id
        # What was ignored is a crowd region: the reader of parts has no place for it.
        assert np.array_equal(record.decode_mask(), np.where(mask == 255, 0, mask))
        assert np.array_equal(record.decode_people() > 0, (mask > 0) & (mask < 255))
        assert np.array_equal(record.people.keypoints[0], one.keypoints)
        assert record.people.crowd.tolist() == [False, True]


def test_people_of_a_map_of_ids_are_told_apart_and_the_crop_s_own_has_the_joints(tmp_path):
    people, mask = np.zeros((24, 20), np.uint8), np.zeros((24, 20), np.uint8)
    people[2:20, 2:9], people[3:22, 9:18] = 4, 2
    mask[2:20, 2:9], mask[2:6, 2:9], mask[3:22, 9:18] = 5, 13, 255
    # The detector's number is not the annotated id; the other one's labels are ignored.
    one = sample("a", pixels=mask, people_map=encode_png(people), person=1)
    api = load(exported(tmp_path, "coco", {"train": [one]}), "train")
    other, own, ignored = of_image(api, 1, 1)
    assert np.array_equal(api.annToMask(other) > 0, people == 2) and other["num_keypoints"] == 0
    assert np.array_equal(api.annToMask(own) > 0, people == 4) and own["num_keypoints"] == 6
    assert ignored["iscrowd"] == 1
    parts = [one["category_id"] - 100 for one in api.dataset["annotations"] if one["category_id"] > 1]
    assert parts == [5, 13]


def test_the_named_person_goes_before_a_larger_one(tmp_path):
    people = np.zeros((24, 20), np.uint8)
    people[:20], people[20:] = 2, 1
    one = sample("a", pixels=np.full((24, 20), 5, np.uint8), people_map=encode_png(people))
    api = load(exported(tmp_path, "coco", {"train": [one]}), "train")
    assert [person["num_keypoints"] for person in of_image(api, 1, 1)] == [6, 0]
    # The same part on two people is two annotations.
    assert [person["area"] for person in of_image(api, 1, 105)] == [80, 400]


def test_a_person_of_whom_only_joints_are_known_has_a_box(tmp_path):
    one = sample(
        "a", mask=None, edge=None, box=np.array([105, 203, 10, 12], np.float32),
        to_source=np.array([[1.0, 0, 100], [0, 1, 200]]),
    )  # fmt: skip
    api = load(exported(tmp_path, "coco", {"train": [one, sample("b", mask=None, edge=None, keypoints=None)]}), "train")
    (person,) = api.dataset["annotations"]
    assert person["bbox"] == [5, 3, 10, 12] and person["area"] == 120 and person["segmentation"] == []
    assert person["num_keypoints"] == 6 and len(api.dataset["images"]) == 2


def test_label_set_person_needs_no_parts(tmp_path):
    mask = part_mask(0, (24, 20), 2)
    out = exported(tmp_path, "coco", {"train": [sample("a", pixels=mask)], "val": []}, parts=LABEL_SETS["person"])
    api = load(out, "train")
    assert [category["name"] for category in api.dataset["categories"]] == ["person"]
    assert len(api.dataset["annotations"]) == 2
    (record,) = read_back(tmp_path, out, "train", LABEL_SETS["person"], 16)
    assert np.array_equal(record.decode_mask(), mask)
    assert load(out, "val").dataset["images"] == []


def test_without_joints_there_are_none(tmp_path):
    out = exported(tmp_path, "coco", samples(keypoints=None, keypoint_origin=()), keypoints=None)
    content = json.loads((out / "annotations/train.json").read_text())
    assert "keypoints" not in content["categories"][0]
    assert not any("keypoints" in one for one in content["annotations"])


def test_a_class_named_person_among_others_is_refused(tmp_path):
    parts = LabelSet("mine", ("background", "Person", "bag"))
    with pytest.raises(ParamsError, match="class 'Person' of label set 'mine' would be taken for whole people"):
        exported(tmp_path, "coco", samples(pixels=part_mask(0, (24, 20), 3)), parts=parts)
