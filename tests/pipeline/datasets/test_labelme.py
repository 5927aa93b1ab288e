import base64
import json

import numpy as np
import pytest

from pipeline.datasets.labelme import LABELME, labelme_account, labelme_items
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, LabelSet
from tests import builders

SHOP = LabelSet("shop", ("background", "top", "left-sleeve", "right-sleeve"))
HEIGHT, WIDTH = 12, 8


def box(label, x0, y0, x1, y1, **fields):
    """A polygon over the pixel columns x0 ... x1 - 1 and rows y0 ... y1 - 1."""
    points = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
    return {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}, **fields}


def labelme(shapes, image="a.jpg", data=None, hw=(HEIGHT, WIDTH)):
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": data}
    return json.dumps({**content, "imageHeight": hw[0], "imageWidth": hw[1]}).encode()


def write(folder, members):
    builders.write_zip(folder / "unpacked.zip", members)
    return Archives(folder)


def read(archives, split="train", label_set=SHOP, **options):
    given = ReaderOptions(**{"splits": ("train",), "label_set": label_set, **options})
    items = labelme_items(archives, split, given)
    return [read_item(archives, item, "mine", split, label_set, LABELME.labels) for item in items]


def read_shapes(folder, shapes, **options):
    (record,) = read(write(folder, [("a.jpg", builders.jpeg()), ("a.json", labelme(shapes))]), **options)
    return record


def painted(*areas):
    """(12, 8) of (value, x0, y0, x1, y1) painted in turn."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for value, x0, y0, x1, y1 in areas:
        mask[y0:y1, x0:x1] = value
    return mask


def test_later_shapes_lie_on_top(tmp_path):
    shapes = [box("top", 0, 0, 6, 6), box("Left sleeve", 2, 2, 8, 12), box("top", 3, 3, 4, 4)]
    record = read_shapes(tmp_path, shapes)
    assert np.array_equal(record.decode_mask(), painted((1, 0, 0, 6, 6), (2, 2, 2, 8, 12), (1, 3, 3, 4, 4)))
    assert record.people_map is None and len(record.people) == 0


def test_group_ids_are_person_ids(tmp_path):
    shapes = [box("top", 0, 0, 4, 4, group_id=7), box("right_sleeve", 2, 2, 8, 6, group_id=3)]
    shapes += [box("top", 0, 8, 2, 10, group_id=7), box("_background_", 0, 0, 1, 1), box("__ignore__", 7, 11, 8, 12)]
    record = read_shapes(tmp_path, shapes)
    assert np.array_equal(
        record.decode_mask(),
        painted((1, 0, 0, 4, 4), (3, 2, 2, 8, 6), (1, 0, 8, 2, 10), (0, 0, 0, 1, 1), (255, 7, 11, 8, 12)),
    )
    assert np.array_equal(record.decode_people(), painted((7, 0, 0, 4, 4), (3, 2, 2, 8, 6), (7, 0, 8, 2, 10)))
    assert record.people.ids.tolist() == [3, 7]
    assert record.people.boxes.tolist() == [[2, 2, 6, 4], [0, 0, 4, 10]]
    assert record.people.mask(1).sum() == 16 + 4  # the body, also where another one covers it


def test_group_ids_that_are_no_ids_of_a_map_are_numbered(tmp_path):
    shapes = [box("top", 0, 0, 4, 4, group_id=0), box("top", 4, 0, 8, 4, group_id=900)]
    assert np.array_equal(read_shapes(tmp_path, shapes).decode_people(), painted((1, 0, 0, 4, 4), (2, 4, 0, 8, 4)))


def test_outlines_of_people_tell_parts_apart(tmp_path):
    shapes = [box("top", 1, 1, 3, 3), box("person", 0, 0, 4, 12), box("person", 4, 0, 8, 12)]
    record = read_shapes(tmp_path, shapes)
    assert np.array_equal(record.decode_mask(), painted((1, 1, 1, 3, 3)))
    assert np.array_equal(record.decode_people(), painted((1, 0, 0, 4, 12), (2, 4, 0, 8, 12)))


def test_parts_of_a_person_lie_above_the_outlines(tmp_path):
    shapes = [box("top", 4, 4, 6, 6, group_id=1), box("person", 0, 0, 8, 12, group_id=2)]
    assert np.array_equal(read_shapes(tmp_path, shapes).decode_people(), painted((2, 0, 0, 8, 12), (1, 4, 4, 6, 6)))


def test_people_are_label_set_person(tmp_path):
    shapes = [box("person", 0, 0, 4, 12), box("person", 2, 0, 6, 6, group_id=5)]
    record = read_shapes(tmp_path / "two", shapes, label_set=LABEL_SETS["person"])
    assert np.array_equal(record.decode_mask(), painted((1, 0, 0, 4, 12), (1, 2, 0, 6, 6)))
    assert record.people.ids.tolist() == [5, 6] and set(np.unique(record.decode_people())) == {0, 5, 6}
    nobody = read_shapes(tmp_path / "none", [], label_set=LABEL_SETS["person"])
    assert not nobody.decode_mask().any() and not nobody.decode_people().any()


def test_rectangles_circles_and_masks_are_areas_and_points_are_counted(tmp_path):
    piece = base64.b64encode(builders.png([[255, 0], [255, 255]])).decode()
    shapes = [
        {"label": "top", "points": [[6, 2], [2, 0]], "shape_type": "rectangle"},
        {"label": "left-sleeve", "points": [[4, 8], [4, 6]], "shape_type": "circle"},
        {"label": "right-sleeve", "points": [[7, 11], [8, 12]], "shape_type": "mask", "mask": piece},
        {"label": "nose", "points": [[1, 1]], "shape_type": "point"},
    ]
    record = read_shapes(tmp_path, shapes)
    expected = painted((1, 2, 0, 6, 2))
    for row in range(HEIGHT):
        for column in range(WIDTH):
            if (column + 0.5 - 4) ** 2 + (row + 0.5 - 8) ** 2 <= 4:
                expected[row, column] = 2
    expected[11, 7] = 3  # of the mask's four pixels this one lies in the image
    assert np.array_equal(record.decode_mask(), expected)
    assert labelme_account(Archives(tmp_path), ReaderOptions(splits=("train",)))["shapes_not_read"] == 1


def test_the_photo_is_found_where_image_path_leads_or_in_the_json_itself(tmp_path):
    photos = [builders.jpeg(seed=seed) for seed in range(4)]
    shapes = [box("top", 0, 0, 1, 1)]
    archives = write(
        tmp_path,
        [
            ("photos/写真 1.jpg", photos[0]),
            ("labels/one.json", labelme(shapes, "..\\photos\\写真 1.jpg")),
            ("labels/two.json", labelme(shapes, "C:\\Users\\me\\b.v2.jpg")),
            ("labels/b.v2.jpg", photos[1]),
            ("labels/three.json", labelme(shapes, "elsewhere/c.jpg")),
            ("more/c.jpg", photos[2]),
            ("labels/four.json", labelme(shapes, "gone.jpg", base64.b64encode(photos[3]).decode())),
            ("labels/package.json", b'{"name": "no labelme"}'),
        ],
    )
    records = read(archives)
    assert [record.sample_id for record in records] == ["one", "two", "three", "four"]
    assert [record.image for record in records] == photos


def test_one_persons_photos_have_one_person(tmp_path):
    record = read_shapes(tmp_path, [box("top", 0, 0, 1, 1)], people="single")
    assert record.people.boxes.tolist() == [[0, 0, WIDTH, HEIGHT]] and record.people_map is None


def test_splits_come_from_lists_or_are_drawn(tmp_path):
    names = [f"{number}" for number in range(20)]
    members = [(f"{name}.jpg", builders.jpeg()) for name in [*names, "unlabelled"]]
    members += [(f"{name}.json", labelme([], f"{name}.jpg")) for name in names]
    archives = write(tmp_path / "drawn", members)
    options = ReaderOptions(seed=1, splits=("train", "val"))
    drawn = [[item.sample_id for item in labelme_items(archives, split, options)] for split in ("train", "val")]
    assert [len(ids) for ids in drawn] == [18, 2] and sorted(drawn[0] + drawn[1]) == sorted(names)
    account = labelme_account(archives, options)
    assert account["split"] == "drawn by seed 1" and account["images_without_json"] == 1
    listed = write(tmp_path / "listed", [*members, ("train.txt", b"3.jpg\n4\n"), ("val.txt", b"5")])
    assert [item.sample_id for item in labelme_items(listed, "train", options)] == ["3", "4"]
    assert labelme_account(listed, options)["unlisted_images"] == 17


@pytest.mark.parametrize(
    "shapes, message",
    [
        ([box("trousers", 0, 0, 1, 1)], r"shape 0: label 'trousers' is none of label set 'shop' \(background, top"),
        ([box("top", 0, 0, 1, 1, group_id=1), box("top", 1, 1, 2, 2)], "shape 1: has no group_id, others have one"),
        ([{"label": "top", "points": [[0, 0], [1, 1]]}], "shape 0: not labelme's form .*2 points, a polygon has 3"),
        ([{"label": "top"}], "shape 0: not labelme's form"),
        (["top"], "shape 0: not labelme's form"),
        ([box("top", 0, 0, 1, float("nan"))], "shape 0: not labelme's form"),
        ([box("top", 0, 0, 1, 1, group_id="a")], "shape 0: not labelme's form"),
        ([box("top", 0, 0, 1, 1, group_id=number) for number in range(255)], "255 people, at most 254"),
    ],
)
def test_shapes_that_do_not_fit_are_named(tmp_path, shapes, message):
    with pytest.raises(DataError, match=rf"^mine/a: unpacked\.zip!/a\.json.*{message}"):
        read_shapes(tmp_path, shapes)


@pytest.mark.parametrize(
    "members, message",
    [
        ([("a.jpg", b"")], "no labelme JSON there"),
        ([("a.json", labelme([]))], r"a\.json: its photo 'a\.jpg' is not there, and it holds no imageData"),
        ([("a.json", b"{")], r"a\.json: no readable JSON"),
        ([("a.json", labelme([], data="?"))], r"mine/a: unpacked\.zip!/a\.json: no readable imageData"),
        (
            [("a.json", labelme([], hw=(8, 12))), ("a.jpg", builders.jpeg())],
            r"a\.jpg is 8x12, its annotations say 12x8",
        ),
        (
            [("a.json", labelme([])), ("a.jpg", builders.jpeg()), ("train.txt", b"a\nb")],
            r"names 'b', which has no labelme",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path, members, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, members))
