"""Bad input through the ingest step: taken as users expect, or rejected by name with the reason; nothing is lost in silence."""

import io
import unicodedata
import zipfile

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline.datasets.folder import folder_account
from pipeline.datasets.layout import ReaderOptions
from pipeline.errors import DataError
from pipeline.rows import image_from_row
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import ingest_shards, ingest_step
from pipeline.taxonomy import LabelSet
from tests import builders

SHOP = LabelSet("shop", ("background", "top", "left-sleeve", "right-sleeve"))
HW = (12, 8)
MASK = np.arange(96, dtype=np.uint8).reshape(HW) % 4
# Of one colour but for a gradient: lossy formats keep it within a few levels.
PHOTO = np.dstack([np.full(HW, 200), np.linspace(0, 60, 96).reshape(HW), np.full(HW, 40)]).astype(np.uint8)
GOOD = builders.png(PHOTO)


def saved(pixels, kind, mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def table_photo():
    stream = io.BytesIO()
    Image.fromarray(PHOTO).convert("P", palette=Image.Palette.ADAPTIVE).save(stream, "PNG")
    return stream.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {3: PHOTO[::-1, ::-1], 6: np.rot90(PHOTO), 8: np.rot90(PHOTO, -1)}[orientation]
    return saved(np.ascontiguousarray(stored), "JPEG", exif=exif, quality=95, subsampling=0)


def ingest(folder, layout="folder", splits=("train",), label_set=SHOP, **options):
    """(records, rejects, counts, number of items) of all shards of a source."""
    given = ReaderOptions(splits=tuple(splits), label_set=label_set, **options)
    step, items = ingest_step(folder, "mine", label_set, 2, layout), 0
    records, rejects, counts = [], [], {}
    for shard in ingest_shards(Archives(folder), layout, splits, 2, given):
        data, report = step.work(shard.inputs)
        found = [image_from_row(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]
        assert len(found) == report.records and len(found) + len(report.rejects) == len(shard.inputs.items)
        records += found
        rejects += report.rejects
        items += len(shard.inputs.items)
        for key, value in report.counts.items():
            counts[key] = counts.get(key, 0) + value
    return records, rejects, counts, items


def ingest_one(folder, image=GOOD, mask=None, name="a.jpg"):
    """As `ingest`, of a folder with a good photo and the one at hand."""
    mask = builders.png(MASK) if mask is None else mask
    members = [("images/good.png", GOOD), ("masks/good.png", builders.png(MASK))]
    members += [(f"images/{name}", image), (f"masks/{name.rsplit('.', 1)[0]}.png", mask)]
    builders.write_zip(folder / "unpacked.zip", members)
    records, rejects, counts, items = ingest(folder)
    assert items == 2 and records[0].sample_id == "good"
    return records[1:], rejects, counts


JPEG = saved(PHOTO, "JPEG", quality=95, subsampling=0)
TWELVE_BITS = JPEG.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c")

TAKEN = {
    "JPEG": JPEG,
    "progressive JPEG": saved(PHOTO, "JPEG", quality=95, subsampling=0, progressive=True),
    "CMYK JPEG": saved(PHOTO, "JPEG", "CMYK", quality=95),
    "PNG called .jpg": GOOD,
    "RGBA PNG": saved(PHOTO, "PNG", "RGBA"),
    "16-bit PNG": cv2.imencode(".png", PHOTO[..., ::-1].astype(np.uint16) * 257)[1].tobytes(),
    "PNG with a colour table": table_photo(),
    "on its side": turned(6),
    "on its other side": turned(8),
    "upside down": turned(3),
}


@pytest.mark.parametrize("kind", TAKEN)
def test_images_of_every_kind_are_taken_as_they_look(tmp_path, kind):
    (record,), rejects, counts = ingest_one(tmp_path, TAKEN[kind])
    assert not rejects and record.image == TAKEN[kind] and (record.height, record.width) == HW
    assert np.abs(record.decode_image().astype(int) - PHOTO).max() <= 8
    assert np.array_equal(record.decode_mask(), MASK)
    assert counts.get("turned_upright", 0) == (kind in ("on its side", "on its other side", "upside down"))


def test_a_grey_jpeg_is_an_image_of_equal_channels(tmp_path):
    grey = saved(PHOTO, "JPEG", "L")
    (record,), rejects, _ = ingest_one(tmp_path, grey)
    assert not rejects and record.image == grey
    pixels = record.decode_image()
    assert pixels.shape == (*HW, 3) and (pixels == pixels[..., :1]).all()


TABLE = np.array([[0, 0, 0], [9, 9, 9], [200, 0, 0], [7, 7, 0]], np.uint8)


def table_mask():
    image = Image.fromarray(MASK)
    image.putpalette(TABLE.ravel().tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


REJECTED = {
    "truncated JPEG": (JPEG[: len(JPEG) // 2], None, r"images/a\.jpg: the JPEG is cut off"),
    "truncated progressive JPEG": (
        TAKEN["progressive JPEG"][:-60], None, r"images/a\.jpg: the JPEG is cut off",
    ),
    "zero bytes": (b"", None, r"images/a\.jpg: not a readable JPEG or PNG \(0 bytes\)"),
    "truncated PNG": (GOOD[:-20], None, r"images/a\.jpg: not a readable JPEG or PNG"),
    "JPEG of 12 bits": (TWELVE_BITS, None, r"images/a\.jpg: not a readable JPEG or PNG"),
    "a web page": (b"<html></html>", None, r"images/a\.jpg: not a readable JPEG or PNG"),
    "16-bit mask": (
        GOOD, cv2.imencode(".png", MASK.astype(np.uint16))[1].tobytes(), r"masks/a\.png: a map of uint16 .* expected one 8-bit"
    ),
    "transparent mask": (
        GOOD, saved(np.dstack([np.zeros((*HW, 3), np.uint8), MASK]), "PNG", "RGBA"), r"masks/a\.png: 96 pixels are not opaque"
    ),
    "mask of unknown colours": (GOOD, saved(TABLE[MASK], "PNG"), r"masks/a\.png: pixel 1, 0 has the colour \[9, 9, 9\]"),
    "mask of unknown ids": (GOOD, builders.png(MASK + 1), r"masks/a\.png holds the ids \[4\], label set 'shop' has 0 to 3"),
    "zero-byte mask": (GOOD, b"", r"masks/a\.png: not a readable PNG \(0 bytes\)"),
    "truncated mask": (GOOD, builders.png(MASK)[:-16], r"masks/a\.png: not a readable PNG"),
    "JPEG called .png": (GOOD, saved(MASK, "JPEG"), r"masks/a\.png: not a readable PNG"),
    "mask of another size": (GOOD, builders.png(MASK[1:]), r"masks/a\.png is 8x11, its image is 8x12\. Export one of them again$"),
    "mask of the image as stored": (
        turned(6), builders.png(np.rot90(MASK)),
        r"masks/a\.png is 12x8, its image is 8x12\. .*stored on its side \(EXIF orientation 6\) and read upright.*make the labels",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REJECTED)
def test_what_is_damaged_or_contradicts_itself_is_rejected_by_name(tmp_path, kind):
    image, mask, reason = REJECTED[kind]
    records, rejects, _ = ingest_one(tmp_path, image, mask)
    assert records == [] and [reject.sample_id for reject in rejects] == ["a"]
    assert rejects[0].reason.startswith("mine/a: unpacked.zip!/") and "\n" not in rejects[0].reason
    with pytest.raises(DataError, match=reason):
        raise DataError(rejects[0].reason)


@pytest.mark.parametrize("kind", ["colour table", "opaque RGBA"])
def test_masks_of_tables_and_opaque_colours_are_read(tmp_path, kind):
    voc = SHOP.palette[MASK]
    mask = table_mask() if kind == "colour table" else saved(voc, "PNG", "RGBA")
    (record,), rejects, _ = ingest_one(tmp_path, GOOD, mask)
    assert not rejects and np.array_equal(record.decode_mask(), MASK)


# Names

NAMES = ["two words", " leading", "写真 1", "фото", "café", "a.b_1.c", "IMG(1)#2", "ÅÄ\u3000x"]


def zipped(folder, members, utf8=True):
    """A zip whose entries say that their names are UTF-8, or, as macOS writes it, do not."""
    data = builders.zip_bytes(members) if utf8 else _without_flag(builders.zip_bytes(members))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "unpacked.zip").write_bytes(data)


def _without_flag(data):
    """The zip with bit 11, "names are UTF-8", cleared in every header."""
    data = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + offset + 1] &= 0xF7
            place = data.find(mark, place + 4)
    return bytes(data)


@pytest.mark.parametrize("form", ["composed", "decomposed", "unflagged"])
def test_names_with_spaces_and_of_other_scripts_go_through(tmp_path, form):
    written = [unicodedata.normalize("NFD", name) if form == "decomposed" else name for name in NAMES]
    members = [(f"Моя/images/{name}.jpg", JPEG) for name in written]
    members += [(f"Моя/masks/{name}.png", builders.png(MASK)) for name in NAMES]
    listed = "\r\n".join(f"{name}.jpg" for name in NAMES if not name.startswith(" ")).encode("utf-8-sig")
    zipped(tmp_path / "listed", [*members, ("Моя/train.txt", listed)], utf8=form != "unflagged")
    records, rejects, _, items = ingest(tmp_path / "listed")
    assert not rejects and items == len(NAMES) - 1
    assert [record.sample_id for record in records] == [name for name in NAMES if not name.startswith(" ")]
    zipped(tmp_path / "all", members, utf8=form != "unflagged")
    assert [record.sample_id for record in ingest(tmp_path / "all")[0]] == NAMES


def test_a_zip_with_dos_names_keeps_them(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for kind, data in (("images/caf?.jpg", JPEG), ("masks/caf?.png", builders.png(MASK))):
            archive.writestr(kind, data)
    (tmp_path / "unpacked.zip").write_bytes(stream.getvalue().replace(b"caf?", b"caf\x82"))  # cp437's é
    assert [record.sample_id for record in ingest(tmp_path)[0]] == ["café"]


@pytest.mark.parametrize(
    "members, message",
    [
        (
            [("train.txt", b"a\nb"), ("val.txt", b"b\nc")],
            r"'b' stands in train and in val\. Take it out of one of them",
        ),
        (
            [("train.txt", b"a\nb"), ("val.txt", b"z.jpg")],
            r"val\.txt: names 'z', but images lacks it\. Add it or mend the list",
        ),
        ([("train.txt", b"a\na"), ("val.txt", b"b")], r"train\.txt: 'a' stands there twice"),
        ([("train.txt", b"\xff\xfea\0"), ("val.txt", b"b")], r"train\.txt: not a text file"),
    ],
)
def test_lists_that_contradict_themselves_or_the_images_stop_the_step_by_name(tmp_path, members, message):
    photos = [(f"images/{name}.jpg", JPEG) for name in "abc"]
    builders.write_zip(tmp_path / "unpacked.zip", [*photos, *members])
    with pytest.raises(DataError, match=message):
        ingest(tmp_path, splits=("train", "val"))


def test_a_photo_of_one_name_in_two_folders_of_splits_is_told(tmp_path):
    builders.write_zip(tmp_path / "unpacked.zip", [("images/train/a.jpg", JPEG), ("images/val/a.jpg", JPEG)])
    with pytest.raises(DataError, match=r"images/val/a\.jpg: the name 'a' stands also in .*images/train/a\.jpg"):
        ingest(tmp_path, splits=("train", "val"))


def test_photos_that_no_list_names_are_left_out_and_counted(tmp_path):
    builders.write_zip(
        tmp_path / "unpacked.zip", [*[(f"images/{name}.jpg", JPEG) for name in "abc"], ("train.txt", b"b")]
    )
    records, _, _, items = ingest(tmp_path)
    assert items == 1 and [record.sample_id for record in records] == ["b"]
    assert folder_account(Archives(tmp_path), ReaderOptions(splits=("train",)))["unlisted_images"] == 2


@pytest.mark.parametrize(
    "row, message",
    [
        (builders.pose_row("b_2", {})[:-3], r"lip_train_set\.csv, row 2: 46 fields, expected 49"),
        (
            [*builders.pose_row("b_2", {})[:-1], "x"],
            r"lip_train_set\.csv, row 2: could not convert string to float: 'x'",
        ),
        ([*builders.pose_row("b_2", {})[:-1], "inf"], r"lip_train_set\.csv, row 2: a number is infinite"),
        (builders.pose_row("a_1", {}), r"lip_train_set\.csv, row 2: 'a_1' stands there twice"),
    ],
)
def test_a_row_of_joints_that_is_none_stops_the_step_by_name(tmp_path, row, message):
    names = ["a_1", "b_2"]
    builders.write_lip(
        tmp_path, dict.fromkeys(names, JPEG), dict.fromkeys(names, builders.png(MASK)),
        [builders.pose_row("a_1", {0: (1, 2, 0)}), row],
    )  # fmt: skip
    with pytest.raises(DataError, match=message):
        ingest(tmp_path, "lip", label_set=LabelSet("shop", SHOP.part_names))
