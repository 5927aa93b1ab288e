import io
from itertools import chain

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.folder import FOLDER, folder_account, folder_items
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, LabelSet
from tests import builders

COLOURS = ((0, 0, 0), (250, 10, 10), (10, 250, 10), (10, 10, 250))
SHOP = LabelSet("shop", ("background", "top", "left-sleeve", "right-sleeve"), COLOURS)
MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 4
IDS = np.repeat(np.arange(3, dtype=np.uint8), 32).reshape(12, 8)
NAMES = ["写真 1", "b.v2", "a"]


def write(folder, names=NAMES, mask=None, masks=True, instances=False, extra=(), **lists):
    members = [(f"images/{name}.jpg", builders.jpeg(seed=seed)) for seed, name in enumerate(names)]
    if masks:
        data = builders.png(MASK) if mask is None else mask
        members += [(f"masks/{name}.png", data) for name in (names if masks is True else masks)]
    if instances:
        members += [
            (f"instances/{name}.png", builders.png(IDS)) for name in (names if instances is True else instances)
        ]
    members += [(f"{split}.txt", text.encode()) for split, text in lists.items()]
    builders.write_zip(folder / "unpacked.zip", [*members, *extra])
    return Archives(folder)


def read_all(archives, split="train", label_set=SHOP, **options):
    given = ReaderOptions(**{"splits": ("train",), "label_set": label_set, **options})
    items = folder_items(archives, split, given)
    return [read_item(archives, item, "mine", split, label_set, FOLDER.labels) for item in items]


def encoded(pixels, flag=cv2.IMREAD_UNCHANGED):
    return cv2.imencode(".png", pixels)[1].tobytes()


def with_table(ids, colours):
    image = Image.fromarray(ids)
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


RGB = SHOP.palette[MASK]
ORDER = [2, 0, 3, 1]
FORMS = {
    "ids": builders.png(MASK),
    "colours": builders.png(RGB),
    "opaque alpha": encoded(np.dstack([RGB[..., ::-1], np.full((12, 8), 255, np.uint8)])),
    "a colour table over ids": with_table(MASK, np.arange(12).reshape(4, 3)),
    "a colour table in another order": with_table(np.argsort(ORDER).astype(np.uint8)[MASK], np.array(COLOURS)[ORDER]),
}


@pytest.mark.parametrize("form", FORMS)
def test_masks_of_every_form_give_the_same_ids(tmp_path, form):
    records = read_all(write(tmp_path, mask=FORMS[form], instances=True))
    assert [record.sample_id for record in records] == NAMES
    for record in records:
        assert np.array_equal(record.decode_mask(), MASK) and np.array_equal(record.decode_people(), IDS)
        assert record.people.ids.tolist() == [1, 2]


@pytest.mark.parametrize(
    "mask, message",
    [
        (encoded(MASK.astype(np.uint16)), "a map of uint16 .*expected one 8-bit channel"),
        (encoded(np.dstack([MASK] * 3).astype(np.uint16)), "colours of uint16"),
        (encoded(np.dstack([RGB[..., ::-1], MASK])), "96 pixels are not opaque"),
        (
            builders.png(np.dstack([MASK] * 3)),
            r"pixel 1, 0 has the colour \[1, 1, 1\], which is none of label set 'shop'",
        ),
        (builders.png(MASK + 3), r"holds the ids \[4, 5, 6\], label set 'shop' has 0 to 3 and 255"),
        (builders.png(RGB[1:]), "is 8x11, its image is 8x12"),
        (builders.jpeg(), "not a readable PNG"),
        (b"", "not a readable PNG"),
    ],
)
def test_masks_that_are_none_are_named(tmp_path, mask, message):
    with pytest.raises(DataError, match=rf"^mine/a: unpacked\.zip!/masks/a\.png.*{message}"):
        read_all(write(tmp_path, ["a"], mask=mask))


def test_list_files_give_the_splits_with_or_without_endings(tmp_path):
    archives = write(tmp_path, train="a.jpg\n", val="写真 1\n")
    options = ReaderOptions(splits=("train", "val"))
    assert [item.sample_id for item in folder_items(archives, "train", options)] == ["a"]
    assert [item.sample_id for item in folder_items(archives, "val", options)] == ["写真 1"]
    account = folder_account(archives, options)
    assert account["split"] == "list files" and account["unlisted_images"] == 1 and account["images"] == 3


@pytest.mark.parametrize("form", ["{kind}/{split}/{name}", "{split}/{kind}/{name}"])
def test_folders_give_the_splits(tmp_path, form):
    members = []
    for seed, (split, name) in enumerate([("train", "b"), ("valid", "c.v2"), ("train", "a")]):
        for kind, data in (("images", builders.jpeg(seed=seed)), ("masks", builders.png(MASK))):
            ending = "jpg" if kind == "images" else "png"
            members.append((form.format(kind=kind, split=split, name=f"{name}.{ending}"), data))
    builders.write_zip(tmp_path / "unpacked.zip", members)
    archives, options = Archives(tmp_path), ReaderOptions(splits=("train", "val"))
    assert [item.sample_id for item in folder_items(archives, "train", options)] == ["b", "a"]
    assert [item.sample_id for item in folder_items(archives, "val", options)] == ["c.v2"]
    assert all(item.mask.stem == item.sample_id for item in folder_items(archives, "train", options))
    account = folder_account(archives, ReaderOptions(splits=("train",)))
    assert account["split"] == "folders" and account["unlisted_images"] == 1
    with pytest.raises(DataError, match="images has folders of train, val, none of test"):
        folder_items(archives, "test", ReaderOptions(splits=("train", "test")))


def test_without_lists_every_image_is_in_one_of_the_splits_asked_for(tmp_path):
    names = [f"photo_{number}" for number in range(30)]
    archives = write(tmp_path, names)
    for splits, sizes in ((("train", "val"), [27, 3]), (("train", "val", "test"), [24, 3, 3]), (("val",), [30])):
        options = ReaderOptions(seed=1, splits=splits)
        found = [[item.sample_id for item in folder_items(archives, split, options)] for split in splits]
        assert [len(ids) for ids in found] == sizes and sorted(chain(*found)) == sorted(names)
        assert folder_account(archives, options)["split"] == "drawn by seed 1"


def test_shades_of_grey_are_colours_where_the_palette_holds_them(tmp_path):
    shades = np.array([0, 85, 170, 255], np.uint8)
    grey = LabelSet("shop", SHOP.part_names, tuple((int(one),) * 3 for one in shades))
    (record,) = read_all(write(tmp_path, ["a"], mask=builders.png(shades[MASK])), label_set=grey)
    assert np.array_equal(record.decode_mask(), MASK)
    (record,) = read_all(write(tmp_path, ["a"], mask=builders.png(MASK)), label_set=grey)
    assert np.array_equal(record.decode_mask(), MASK)


def test_a_folder_of_images_alone_has_no_labels(tmp_path):
    records = read_all(write(tmp_path, masks=False))
    assert len(records) == 3 and {record.mask for record in records} == {None}
    assert [len(record.people) for record in records] == [0, 0, 0]
    assert [len(record.people) for record in read_all(Archives(tmp_path), people="single")] == [1, 1, 1]
    person = read_all(Archives(tmp_path), label_set=LABEL_SETS["person"])
    assert {record.mask for record in person} == {None}


def test_masks_of_label_set_person_are_kept(tmp_path):
    (record,) = read_all(write(tmp_path, ["a"], mask=builders.png(MASK % 2)), label_set=LABEL_SETS["person"])
    assert np.array_equal(record.decode_mask(), MASK % 2)


def test_an_image_turned_by_exif_fits_its_upright_mask(tmp_path):
    members = [("images/a.jpg", builders.exif_rotated(builders.jpeg(8, 12))), ("masks/a.png", builders.png(MASK))]
    builders.write_zip(tmp_path / "a.zip", members)
    (record,) = read_all(Archives(tmp_path))
    assert (record.height, record.width) == (12, 8)


def test_files_that_no_split_holds_are_counted(tmp_path):
    archives = write(tmp_path, extra=[("images/Thumbs.db", b"x"), ("masks/old.png", builders.png(MASK))])
    account = folder_account(archives, ReaderOptions(splits=("train",)))
    assert account["other_files"] == 1 and account["masks_without_image"] == 1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"train": "nobody.jpg"}, r"train\.txt: names 'nobody', but images lacks it"),
        ({"train": "a.jpg\na"}, r"train\.txt: 'a' stands there twice"),
        ({"val": "a"}, r"train\.txt is missing beside .*val\.txt"),
        ({"masks": ["a", "b.v2"]}, r"写真 1\.jpg: has no file masks/写真 1\.png"),
        ({"instances": ["a"]}, r"has no file instances/写真 1\.png"),
        ({"names": []}, "no folder images/ with JPEGs or PNGs"),
        ({"extra": [("images/summer/z.jpg", b"")]}, r"images/summer/z\.jpg: lies deeper than images/"),
        ({"extra": [("images/a.png", b"")]}, r"the name 'a' stands twice in images"),
        ({"extra": [("images/val/z.jpg", b"")]}, r"lies in no split's folder, others lie in val"),
        ({"extra": [("val/images/a.jpg", b"")]}, r"val/images/a\.jpg: the name 'a' stands also in .*images/a\.jpg"),
        ({"extra": [("masks/z.jpg", b"")]}, r"masks/z\.jpg: no PNG, and only those keep ids exactly"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        read_all(write(tmp_path, **options))
