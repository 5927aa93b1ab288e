import io

import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline.datasets.folder import FOLDER, folder_items
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import DataError
from pipeline.images import encode_png
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS, LabelSet, label_set
from tests import builders
from tests.pipeline.export.builders import exported, ids_by_stem, part_mask, sample, samples

SHOP = LabelSet(
    "shop", ("background", "top", "left-sleeve", "right-sleeve"), ((0, 0, 0), (9, 9, 9), (1, 2, 3), (3, 2, 1))
)
PEOPLE = np.repeat(np.array([[0, 0, 3, 3, 7] * 4], np.uint8), 24, axis=0)


def read_back(tmp_path, out, split, parts=LABEL_SETS["lip"], splits=("train", "val")):
    """The export as `hpp download` packs it, read by the folder reader."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    builders.write_zip(
        tmp_path / "raw/unpacked.zip", [(path.relative_to(out).as_posix(), path.read_bytes()) for path in files]
    )
    archives = Archives(tmp_path / "raw")
    options = ReaderOptions(splits=splits, people="single", label_set=parts)
    items = folder_items(archives, split, options)
    return [read_item(archives, item, "back", split, parts, FOLDER.labels) for item in items]


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_folder_reader_reads_every_image_and_mask_as_they_were(tmp_path, split):
    content = samples()
    content["train"][0] = sample("2_20.v1", image=builders.exif_rotated(builders.jpeg(20, 24), 6))
    content["train"][1] = sample("写真 1", image=builders.png(builders.image_pixels(24, 20)))
    content["val"][0] = sample("photo.jpg", split="val")
    out = exported(tmp_path, "folder", content)
    assert not (out / "instances").exists()
    back = read_back(tmp_path, out, split)
    assert [record.sample_id for record in back] == [one.sample_id for one in content[split]]
    for record, one in zip(back, content[split], strict=True):
        assert record.image == one.image
        assert np.array_equal(record.decode_mask(), one.decode_mask())
        assert (record.width, record.height) == (one.width, one.height)


def test_names_that_cannot_stay_come_back_by_the_table(tmp_path):
    content = {"train": [sample(name, seed) for seed, name in enumerate(["a/b", " a", "A", "a", ".b"])]}
    out = exported(tmp_path, "folder", content)
    back = read_back(tmp_path, out, "train", splits=("train",))
    table = ids_by_stem(out)
    assert [table[record.sample_id] for record in back] == ["a/b", " a", "A", "a", ".b"]
    assert [record.image for record in back] == [one.image for one in content["train"]]


def test_person_ids_come_back(tmp_path):
    out = exported(
        tmp_path, "folder", samples(people_map=encode_png(PEOPLE), image=builders.jpeg(24, 20), pixels=part_mask(0))
    )
    for record in read_back(tmp_path, out, "val"):
        assert np.array_equal(record.decode_people(), PEOPLE) and record.people.ids.tolist() == [3, 7]


def test_person_ids_that_some_samples_lack_are_left_out_and_told(tmp_path):
    content = {"train": [sample("a", people_map=encode_png(PEOPLE)), sample("b", 1)]}
    out = exported(tmp_path, "folder", content)
    about = yaml.safe_load((out / "export.json").read_text())
    assert not (out / "instances").exists() and about["holds_instances"] is False
    assert about["counts"]["instances"] == about["counts"]["samples_without_instances"] == 1
    assert len(read_back(tmp_path, out, "train", splits=("train",))) == 2


def test_unlabelled_photos_are_a_folder_of_images(tmp_path):
    out = exported(tmp_path, "folder", samples(mask=None, edge=None))
    assert not (out / "masks").exists()
    assert [record.mask for record in read_back(tmp_path, out, "val")] == [None, None]


def test_masks_for_some_of_the_photos_are_refused(tmp_path):
    content = {"train": [sample("a"), sample("b", 1)], "val": [sample("c", split="val", mask=None, edge=None)]}
    with pytest.raises(DataError, match=r"toy/val: sample 'c' has no part mask, others have one.*--split"):
        exported(tmp_path, "folder", content)
    with pytest.raises(DataError, match="toy/train: sample 'a' has no part mask"):
        exported(tmp_path / "2", "folder", {"train": [sample("a", mask=None), sample("b")]})


@pytest.mark.parametrize("parts", [SHOP, LABEL_SETS["atr"]])
def test_the_label_set_and_the_entry_make_the_export_usable_at_once(tmp_path, parts):
    content = samples(pixels=part_mask(0, (24, 20), len(parts)), image=builders.jpeg(24, 20))
    out = exported(tmp_path, "folder", content, parts=parts)
    ((name, entry),) = yaml.safe_load((out / "entry.yaml").read_text(encoding="utf-8")).items()
    assert name == "toy-export" and entry["source"] == str(out) and entry["splits"] == ["train", "val"]
    assert (entry["layout"], entry["people"]) == ("folder", "single")
    # The set by its name or file, equal in every class and colour; the file of a built-in set has another name.
    assert label_set(entry["label_set"]) == parts
    (file,) = (path for path in out.glob("*.yaml") if path.name != "entry.yaml")
    assert label_set(str(file)).part_names == parts.part_names and label_set(str(file)).colours == parts.colours
    assert len(read_back(tmp_path, out, "train", label_set(entry["label_set"]))) == 4


def test_a_mask_whose_colour_table_shows_the_set_s_colours_in_another_order_keeps_its_ids(tmp_path):
    # Its ids are what the shards say; the folder reader would go by the colours.
    ids = part_mask(0, (24, 20), 4) % 4
    table = Image.fromarray(ids)
    table.putpalette(np.array(SHOP.colours)[[3, 2, 1, 0]].astype(np.uint8).ravel().tolist())
    stream = io.BytesIO()
    table.save(stream, "PNG")
    out = exported(tmp_path, "folder", {"train": [sample("a", mask=stream.getvalue())]}, parts=SHOP)
    (record,) = read_back(tmp_path, out, "train", SHOP, ("train",))
    assert np.array_equal(record.decode_mask(), ids)
