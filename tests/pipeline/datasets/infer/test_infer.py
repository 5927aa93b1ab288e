import base64
import json

import numpy as np
import pytest

from pipeline.datasets.infer import infer_dataset
from pipeline.datasets.infer.coco_json import split_of
from pipeline.datasets.sample.archives import write_archives
from pipeline.errors import DataError
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests import builders

IDS = np.arange(96, dtype=np.uint8).reshape(12, 8) % 3
TWO_PEOPLE = np.repeat([[0, 1, 1, 0, 2, 2, 0, 0]], 12, axis=0).astype(np.uint8)


def write(folder, files):
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return folder


def photos(names=("a 1", "写真", "b.v2"), masks=True, instances=None):
    files = {f"images/{name}.jpg": builders.jpeg(seed=seed) for seed, name in enumerate(names)}
    if masks:
        files |= {f"masks/{name}.png": builders.png(IDS) for name in names}
    if instances is not None:
        files |= {f"instances/{name}.png": builders.png(instances) for name in names}
    return files


def infer(place):
    return infer_dataset(place, "mine", seed=1)


# Folders


def test_a_folder_of_photos_and_masks(tmp_path):
    found = infer(write(tmp_path, photos()))
    assert (found.layout, found.splits, found.people) == ("folder", ("train", "val"), "single")
    assert found.parts.name == "mine" and found.parts.part_names == ("background", "class-1", "class-2")
    assert found.joints is None and found.own_parts and not found.told_apart
    assert found.found[0] == "3 photos, 3 files in masks/, no files in instances/"
    assert any("people: single" in line for line in found.guessed)
    assert any("names of the 2 classes" in line for line in found.guessed)


def test_person_ids_tell_whether_there_are_many(tmp_path):
    many = infer(write(tmp_path / "many", photos(instances=TWO_PEOPLE)))
    assert many.people == "many" and many.told_apart and "up to 2 people on a photo" in " ".join(many.found)
    assert not any("people" in line for line in many.guessed)
    one = infer(write(tmp_path / "one", photos(instances=TWO_PEOPLE == 1)))
    assert one.people == "single" and one.told_apart


def test_photos_alone_need_no_parts(tmp_path):
    found = infer(write(tmp_path, photos(masks=False)))
    assert found.parts is LABEL_SETS["person"] and not found.own_parts
    assert "part masks and edges are not" in found.guessed[-1]


def test_splits_are_the_lists_or_the_folders_or_drawn(tmp_path):
    lists = {"train.txt": b"b.v2.jpg\n", "val.txt": "写真\n".encode(), "test.txt": b"a 1"}
    assert infer(write(tmp_path / "lists", {**photos(), **lists})).splits == ("train", "val", "test")
    foldered = {
        path.replace("s/", "s/valid/" if "b.v2" in path else "s/train/"): data for path, data in photos().items()
    }
    assert infer(write(tmp_path / "folders", foldered)).splits == ("train", "val")
    assert infer(write(tmp_path / "one", photos(["a"]))).splits == ("train",)
    with pytest.raises(DataError, match=r"train\.txt: names 'z', but images lacks it"):
        infer(write(tmp_path / "broken", {**photos(), "train.txt": b"z"}))


@pytest.mark.parametrize(
    "file, content, names, told",
    [
        ("classes.txt", b"Hair\nupper clothes\n", ["hair", "upper-clothes"], "has id 1, for it is not called background"),
        ("labels.txt", b"__ignore__\n_background_\nhair\ntop\n", ["hair", "top"], ""),
        ("classes.txt", b"background\nhair\ntop\nshoe\n", ["hair", "top", "shoe"], ""),
        ("id2label.json", {"0": "Background", "1": "Hat", "2": "Left-arm"}, ["hat", "left-arm", "right-arm"], "right-arm added"),
        ("classes.txt", b"hair\n", ["class-1", "class-2"], "names of the 2 classes"),
        ("classes.txt", b"hair\nhair\n", ["class-1", "class-2"], "names of the 2 classes"),
        ("id2label.json", {"1": "Hat", "3": "Left-arm"}, ["class-1", "class-2"], "names of the 2 classes"),
        ("id2label.json", ["hat"], ["class-1", "class-2"], "names of the 2 classes"),
    ],
)  # fmt: skip
def test_names_come_from_a_file_beside_the_masks(tmp_path, file, content, names, told):
    found = infer(write(tmp_path, {**photos(), file: content}))
    assert found.parts.part_names == ("background", *names) and told in " ".join(found.guessed)
    assert file in " ".join(found.found)


def test_a_list_of_colours_names_colours_and_a_plain_list_does_not(tmp_path):
    colours = np.array([[0, 0, 0], [9, 0, 200], [9, 100, 0]], np.uint8)
    files = {**photos(["a"]), "masks/a.png": builders.png(colours[IDS])}
    told = b"# label:color_rgb:parts:actions\nbackground:0,0,0::\nTop:9,100,0::\nhair:9,0,200::\nhat:1,1,1::\n"
    named = infer(write(tmp_path / "map", {**files, "labelmap.txt": told}))
    assert named.parts.part_names == ("background", "hair", "top") and named.parts.colours[2] == (9, 100, 0)
    plain = infer(write(tmp_path / "list", {**files, "classes.txt": b"hair\ntop"}))
    assert plain.parts.part_names == ("background", "class-1", "class-2")
    assert "classes.txt is not used: it does not say which colour is which class" in " ".join(plain.found)


def test_masks_of_a_built_in_sets_size_get_a_hint(tmp_path):
    files = {**photos(["a"]), "masks/a.png": builders.png(np.arange(96).reshape(12, 8) % 20)}
    assert any("write `label_set: lip`" in line for line in infer(write(tmp_path, files)).guessed)


def test_archives_are_looked_into(tmp_path):
    builders.write_zip(tmp_path / "shop.zip", [(f"shop/{path}", data) for path, data in photos().items()])
    assert infer(tmp_path).layout == infer(tmp_path / "shop.zip").layout == "folder"


# labelme


def labelme(image, *shapes):
    shapes = [
        {"label": label, "points": [[0, 0], [4, 0], [4, 4]], "shape_type": "polygon", "group_id": group}
        for label, group in shapes
    ]
    data = base64.b64encode(builders.jpeg()).decode()
    return {"shapes": shapes, "imagePath": image, "imageData": data, "imageHeight": 12, "imageWidth": 8}


def test_labelme_files(tmp_path):
    files = {
        "a.json": labelme("a.jpg", ("top", None), ("Left sleeve", None)),
        "b.json": labelme("b.jpg", ("hair", None)),
    }
    found = infer(write(tmp_path, files))
    assert (found.layout, found.people, found.splits) == ("labelme", "single", ("train", "val"))
    assert found.parts.part_names == ("background", "hair", "left-sleeve", "top", "right-sleeve")
    assert "right-sleeve added" in " ".join(found.guessed)
    files["labels.txt"] = b"__ignore__\n_background_\ntop\nhair\nright_sleeve\nleft_sleeve\n"
    listed = infer(write(tmp_path, files))
    assert listed.parts.part_names == ("background", "top", "hair", "right-sleeve", "left-sleeve")


def test_labelme_groups_and_outlines_tell_people_apart(tmp_path):
    many = infer(write(tmp_path / "many", {"a.json": labelme("a.jpg", ("top", 1), ("top", 2), ("hair", 2))}))
    assert many.people == "many" and many.told_apart and many.splits == ("train",)
    one = infer(write(tmp_path / "one", {"a.json": labelme("a.jpg", ("top", None), ("person", None))}))
    assert one.people == "single" and one.told_apart and one.parts.part_names == ("background", "top")
    people = infer(write(tmp_path / "people", {"a.json": labelme("a.jpg", ("person", None), ("person", None))}))
    assert people.parts is LABEL_SETS["person"] and people.people == "many"


def test_labelme_without_areas_is_told(tmp_path):
    with pytest.raises(DataError, match="no shape of any labelme file is an area"):
        infer(write(tmp_path, {"a.json": labelme("a.jpg")}))
    with pytest.raises(DataError, match=r"b\.json, shape 0: not labelme's form"):
        infer(write(tmp_path, {"b.json": {**labelme("a.jpg"), "shapes": [{}]}}))


# COCO JSON


def coco(annotations, categories, names=("a.jpg", "b.jpg")):
    content = builders.coco_content(dict.fromkeys(names, (12, 8)), [{"image_id": 1, **one} for one in annotations])
    return {**content, "categories": categories}


SQUARE = {"segmentation": [[0, 0, 4, 0, 4, 4]]}
PARTS = [{"id": 3, "name": "Top"}, {"id": 1, "name": "left_arm"}, {"id": 9, "name": "spare"}]
IMAGES = {"photos/a.jpg": builders.jpeg(), "photos/b.jpg": builders.jpeg(seed=1)}


def test_a_coco_json_of_parts(tmp_path):
    table = coco([{"category_id": 3, **SQUARE}, {"category_id": 1, **SQUARE}], PARTS)
    found = infer(write(tmp_path, {**IMAGES, "annotations/labels.json": table}))
    assert (found.layout, found.people) == ("coco_json", "single")
    assert found.annotations == {"train": "annotations/labels.json", "val": "annotations/labels.json"}
    assert found.parts.part_names == ("background", "left-arm", "top", "right-arm")
    chosen = infer(tmp_path / "annotations" / "labels.json")
    assert chosen.annotations == found.annotations and chosen.parts == found.parts


def test_coco_people_with_joints(tmp_path):
    person = {
        "id": 1,
        "name": "person",
        "keypoints": [one.replace("-", "_") for one in KEYPOINT_SETS["coco17"].keypoint_names],
    }
    joints = {"keypoints": [1, 1, 2] * 17}
    table = coco(
        [{"category_id": 1, **SQUARE, **joints}] * 2, [person, {"id": 2, "name": "dog"}, {"id": 3, "name": "cat"}]
    )
    files = {**IMAGES, "people_train.json": table, "people_val.json": coco([], [person], ["b.jpg"])}
    found = infer(write(tmp_path, files))
    assert found.parts is LABEL_SETS["person"] and found.joints is KEYPOINT_SETS["coco17"] and found.people == "many"
    assert found.annotations == {"train": "people_train.json", "val": "people_val.json"}
    assert not found.guessed


def test_people_among_things_are_people_and_joints_may_be_ones_own(tmp_path):
    person = {"id": 1, "name": "person", "keypoints": ["nose", "tail"], "skeleton": [[1, 2], [2, 7]]}
    table = coco(
        [{"category_id": 1, **SQUARE}, {"category_id": 2, **SQUARE}],
        [person, {"id": 2, "name": "dog"}, {"id": 3, "name": "cat"}],
    )
    found = infer(write(tmp_path, {**IMAGES, "x.json": table}))
    assert found.parts is LABEL_SETS["person"] and found.joints.name == "mine-joints"
    assert found.joints.keypoint_names == ("nose", "tail") and found.joints.limb_indices == ((0, 1),)
    assert any("1 categories are no parts of people" in line for line in found.guessed)


def test_the_split_of_a_file_is_in_its_name_or_folder():
    told = {
        "instances_train2017.json": "train", "valid/_annotations.coco.json": "val", "a/test.json": "test",
        "labels.json": None, "train_and_val.json": None, "training.json": "train", "train/val.json": "val",
    }  # fmt: skip
    assert {path: split_of(path) for path in told} == told


def test_coco_files_whose_splits_cannot_be_told_are_named(tmp_path):
    table = coco([{"category_id": 3, **SQUARE}], PARTS)
    write(tmp_path, {**IMAGES, "one.json": table, "two.json": table})
    with pytest.raises(DataError, match=r"one\.json and two\.json: their names do not tell which split"):
        infer(tmp_path)
    assert infer(tmp_path / "two.json").annotations["train"] == "two.json"


# Published layouts, and what is none


@pytest.mark.parametrize(
    "layout, people, parts, joints",
    [
        ("lip", "single", "lip", "lip16"),
        ("cihp", "many", "cihp", None),
        ("atr", "single", "atr", None),
        ("pascal", "many", "pascal", "pascal14"),
        ("coco", "many", "person", "coco17"),
    ],
)
def test_published_sets_are_recognised(tmp_path, layout, people, parts, joints):
    write_archives(layout, tmp_path, {"train": 3, "val": 1}, seed=1)
    found = infer(tmp_path)
    assert (found.layout, found.people, found.parts.name) == (layout, people, parts)
    assert (None if found.joints is None else found.joints.name) == joints and set(found.splits) >= {"train", "val"}


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "empty"),
        ({"readme.md": b"hello"}, "no photos there"),
        ({"a.jpg": b"", "b.jpg": b""}, r"2 photos, such as a\.jpg, but no folder images/"),
        ({**photos(), "a.json": labelme("a.jpg", ("top", None))}, "holds labelme JSON and a folder masks/"),
        ({**photos(masks=False), "t.json": coco([], PARTS), "a.json": labelme("a.jpg")}, "holds COCO JSON and labelme JSON"),
        ({**IMAGES, "t.json": coco([], PARTS)}, "no annotation is of a person or of a part"),
        ({**photos(), "masks/b.v2.png": builders.png(IDS[..., None] * [9, 0, 7])}, "masks are of several kinds"),
        ({**photos(), "masks/old.png": b"x"}, r"masks/old\.png: not a readable PNG"),
        ({"images/a.jpg": b"", "images/b.jpg": b"", "masks/a.png": builders.png(IDS)}, r"b\.jpg: has no file masks/b\.png"),
        ({"a.json": b"{"}, r"a\.json: no readable JSON"),
    ],
)  # fmt: skip
def test_what_is_none_is_told_in_one_line(tmp_path, files, message):
    with pytest.raises(DataError, match=message) as caught:
        infer(write(tmp_path, files))
    assert "\n" not in str(caught.value)


def test_places_that_are_none_are_told(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        infer(tmp_path / "nowhere")
    write(tmp_path, {"a.json": {"shapes": []}, "b.json": coco([], PARTS), "c.json": b"["})
    for name, message in (("a", "no COCO JSON"), ("b", "none of its 2 photos lies in"), ("c", "no readable JSON")):
        with pytest.raises(DataError, match=message):
            infer(tmp_path / f"{name}.json")
