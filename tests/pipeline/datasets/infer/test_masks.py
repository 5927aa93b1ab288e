import io

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.folder import folder_labels
from pipeline.datasets.infer.masks import classes_of_masks
from pipeline.datasets.items import SourceItem
from pipeline.errors import DataError
from pipeline.images import decode_map
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LabelSet, voc_palette
from tests import builders

IDS = np.arange(96, dtype=np.uint8).reshape(12, 8) % 4
COLOURS = np.array([[0, 0, 0], [250, 10, 10], [10, 250, 10], [10, 10, 250]], np.uint8)


def table_png(ids, colours):
    image = Image.fromarray(ids)
    image.putpalette(np.asarray(colours, np.uint8).ravel().tolist())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def infer(folder, *masks):
    builders.write_zip(folder / "a.zip", [(f"masks/{number}.png", data) for number, data in enumerate(masks)])
    archives = Archives(folder)
    return archives, classes_of_masks(archives, archives.members)


def read_back(archives, classes, member):
    """The ids that the folder's reader gives with a label set of what was inferred."""
    names = ("background", *(f"class-{number}" for number in range(1, classes.count)))
    labels = LabelSet("mine", names, classes.colours)
    image = next(iter(archives.members))
    mask = folder_labels(archives, SourceItem("a", image, member), IDS.shape, labels).mask
    return decode_map(mask, "mask")


WITH_IGNORE = np.where(IDS == 3, 255, IDS).astype(np.uint8)
VOC = voc_palette(5)
CASES = {
    "ids": (builders.png(IDS), 4, None, IDS, "grey PNGs of ids"),
    "ids with gaps": (builders.png(IDS * 3), 10, None, IDS * 3, "grey PNGs of ids"),
    "ids and 255": (builders.png(WITH_IGNORE), 3, None, WITH_IGNORE, "grey PNGs of ids"),
    "shades": (builders.png(IDS * 85), 4, [0, 85, 170, 255], IDS, "shades"),
    "black and white": (builders.png((IDS > 1) * 255), 2, [0, 255], (IDS > 1) * 1, "shades"),
    "ids in three channels": (builders.png(np.dstack([IDS] * 3)), 4, [0, 1, 2, 3], IDS, "ids in three channels"),
    "colours": (builders.png(COLOURS[IDS]), 4, COLOURS[[0, 3, 2, 1]], np.array([0, 3, 2, 1])[IDS], "PNGs of colours"),
    "VOC's colours": (builders.png(VOC[IDS + IDS // 3]), 5, VOC, IDS + IDS // 3, "PASCAL VOC's colours"),
    "a colour table": (table_png(IDS, COLOURS), 4, COLOURS, IDS, "indices are the ids"),
    "no black": (builders.png(COLOURS[np.maximum(IDS, 1)]), 3, COLOURS[[1, 3, 2]], np.array([0, 0, 2, 1])[IDS], "colours"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_masks_of_every_form_are_understood_and_read_back(tmp_path, case):
    data, count, colours, ids, form = CASES[case]
    archives, classes = infer(tmp_path, data)
    assert classes.count == count and form in classes.form
    if colours is None:
        assert classes.colours is None
    else:
        assert [list(one) for one in classes.colours] == [list(np.broadcast_to(one, 3)) for one in colours]
    assert np.array_equal(read_back(archives, classes, archives.members[0]), ids)


def test_colour_tables_that_differ_are_colours(tmp_path):
    order = np.array([2, 0, 3, 1])
    archives, classes = infer(
        tmp_path, table_png(IDS, COLOURS), table_png(np.argsort(order).astype(np.uint8)[IDS], COLOURS[order])
    )
    assert classes.form == "PNGs of colours" and classes.count == 4
    first, second = (read_back(archives, classes, member) for member in archives.members)
    assert np.array_equal(first, second) and np.array_equal(first, np.array([0, 3, 2, 1])[IDS])


def test_a_table_whose_255_looks_like_a_class_says_no_colours(tmp_path):
    colours = np.zeros((256, 3), np.uint8)
    colours[:4], colours[255] = COLOURS, COLOURS[1]
    archives, classes = infer(tmp_path, table_png(WITH_IGNORE, colours))
    assert classes.colours is None and classes.ignores and classes.count == 3
    assert np.array_equal(read_back(archives, classes, archives.members[0]), WITH_IGNORE)


def test_notes_say_how_much_of_a_class_there_is(tmp_path):
    _, classes = infer(tmp_path, builders.png(np.zeros((12, 8))), builders.png(IDS * 2))
    assert classes.notes[0] == "62 % of the pixels, in 2 masks, for instance 0.png"
    assert classes.notes[2] == "12 % of the pixels, in 1 masks, for instance 1.png"
    assert classes.notes[3] == "in no mask" and classes.count == 7


def test_guesses_are_told(tmp_path):
    assert infer(tmp_path / "a", builders.png(IDS + 1))[1].guessed == ("id 0 is the background, though no mask has it",)
    shades = infer(tmp_path / "b", builders.png(IDS * 85))[1].guessed
    assert "the grey values [0, 85, 170, 255] are no ids but shades" in shades[0] and "255 is a class" in shades[1]
    ground = infer(tmp_path / "c", builders.png(COLOURS[np.maximum(IDS, 1)]))[1].guessed
    assert ground == ("the most frequent colour, [250, 10, 10], is the background; no mask has black",)


SMOOTH = builders.png(cv2.resize(COLOURS[np.random.default_rng(0).integers(0, 4, (12, 8))], (80, 120)))


@pytest.mark.parametrize(
    "masks, message",
    [
        ([builders.png(IDS), builders.png(COLOURS[IDS])], r"0\.png holds grey values, .*1\.png colours. Export all of them"),
        ([SMOOTH], r"0\.png: \d+ colours, where a mask has one of each class"),
        ([builders.png(np.zeros((4, 4)))], r"all pixels of all masks are \[0\]"),
        ([builders.png(np.zeros((4, 4, 3)))], r"have the colour \[0, 0, 0\]"),
        ([table_png(IDS * 0, COLOURS)], "has another index than 0"),
        ([cv2.imencode(".png", IDS.astype(np.uint16))[1].tobytes()], r"0\.png: a map of uint16 .*expected one 8-bit channel"),
        ([b""], r"0\.png: not a readable PNG"),
    ],
)  # fmt: skip
def test_masks_that_are_none_are_told(tmp_path, masks, message):
    with pytest.raises(DataError, match=message):
        infer(tmp_path, *masks)
