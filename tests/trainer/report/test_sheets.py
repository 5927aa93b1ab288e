"""Sprite sheets: the position of a tile shows that tile and no other."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from trainer.report.layers import TILE_HW
from trainer.report.sheets import PER_SHEET, SheetGrid, Tiles, encode_indexed, write_sheet

PALETTE = np.random.default_rng(1).integers(0, 256, (256, 4), dtype=np.uint8)
IMAGE = np.full((*TILE_HW, 3), 90, np.uint8)


def shown(sheet: np.ndarray, grid: SheetGrid, index: int) -> np.ndarray:
    """What a browser shows: background-position x % puts x % of the spare width to the left."""
    x, y = (float(value.rstrip("%")) / 100 for value in grid.position(index).split())
    height, width = TILE_HW
    left = round(x * (sheet.shape[1] - width))
    top = round(y * (sheet.shape[0] - height))
    return sheet[top : top + height, left : left + width]


@pytest.mark.parametrize("count", [1, 9, 10, 11, PER_SHEET])
def test_each_tile_is_found_at_its_place(tmp_path, count):
    tiles = [Tiles(IMAGE, mask=np.full(TILE_HW, index, np.uint8)) for index in range(count)]
    files = write_sheet(tmp_path, "some", tiles, {"mask": PALETTE})
    sheet = np.array(Image.open(tmp_path / files["mask"]))
    for index in range(count):
        assert (shown(sheet, SheetGrid(count), index) == index).all(), index


def test_a_layer_that_no_sample_has_gives_no_file(tmp_path):
    tiles = [Tiles(IMAGE), Tiles(IMAGE, mask=np.ones(TILE_HW, np.uint8))]
    files = write_sheet(tmp_path, "some", tiles, {"mask": PALETTE, "edges": PALETTE[:16]})
    assert files == {"image": "some-image.jpg", "mask": "some-mask.png"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some-image.jpg", "some-mask.png"]


@pytest.mark.parametrize("colours", [256, 64, 16])
def test_numbers_are_shown_in_their_colours(colours):
    ids = np.random.default_rng(0).integers(0, colours, (20, 33), dtype=np.uint8)
    picture = encode_indexed(ids, PALETTE[:colours])
    assert (np.array(Image.open(io.BytesIO(picture)).convert("RGBA")) == PALETTE[ids]).all()
    assert encode_indexed(ids, PALETTE[:colours]) == picture


def test_pictures_keep_their_colours(tmp_path):
    image = np.full((*TILE_HW, 3), (200, 30, 60), np.uint8)
    files = write_sheet(tmp_path, "some", [Tiles(image)], {})
    assert np.abs(cv2.imread(str(tmp_path / files["image"]))[..., ::-1].astype(int) - image).max() <= 2
