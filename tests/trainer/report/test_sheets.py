"""Sprite sheets: the style of a tile shows that tile and no other."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from trainer.report.layers import TILE_HW
from trainer.report.sheets import SheetGrid, sheet_style, write_sheets


def shown(sheet: np.ndarray, grid: SheetGrid, index: int) -> np.ndarray:
    """What a browser shows: background-position x % puts x % of the spare width to the left."""
    x, y = (float(value) / 100 for value in re.findall(r"([\d.]+)%", grid.style(index)))
    height, width = TILE_HW
    left = round(x * (sheet.shape[1] - width))
    top = round(y * (sheet.shape[0] - height))
    return sheet[top : top + height, left : left + width]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 48])
def test_each_tile_is_found_at_its_place(tmp_path, count):
    tiles = [np.full((*TILE_HW, 4), (5 * index, 255 - 5 * index, 7, 200), np.uint8) for index in range(count)]
    files = write_sheets(tmp_path, "some", {"mask": tiles})
    sheet = cv2.imread(str(tmp_path / files["mask"]), cv2.IMREAD_UNCHANGED)
    for index, tile in enumerate(tiles):
        assert (shown(sheet, SheetGrid(count), index)[..., [2, 1, 0, 3]] == tile).all(), index


def test_a_layer_that_no_sample_has_gives_no_file(tmp_path):
    tile = np.zeros((*TILE_HW, 3), np.uint8)
    files = write_sheets(tmp_path, "some", {"image": [tile, tile], "edges": [None, None], "mask": [None, tile]})
    assert files == {"image": "some-image.jpg", "mask": "some-mask.jpg"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["some-image.jpg", "some-mask.jpg"]


def test_file_names_cannot_leave_their_quotes():
    style = sheet_style(SheetGrid(1), {"image": "a'b) c.jpg"})
    assert style == "--columns:1;--rows:1;--image:url('a%27b%29%20c.jpg')"
