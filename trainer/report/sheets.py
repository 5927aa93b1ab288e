"""Sprite sheets: many tiles in one picture, so that the page stays a handful of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np

from pipeline.images import encode_jpeg
from pipeline.shards.write import write_whole
from trainer.report.html import Html, element
from trainer.report.layers import PAPER, TILE_HW

COLUMNS = 8
_JPEG_QUALITY = 86
_WEBP_QUALITY = {"heatmaps": 80}
_LOSSLESS = 101


@dataclass(frozen=True)
class SheetGrid:
    """Where a sheet's tiles lie, row by row."""

    count: int

    @property
    def columns(self) -> int:
        """Tiles side by side."""
        return min(self.count, COLUMNS)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-self.count // COLUMNS)

    def style(self, index: int) -> str:
        """CSS that shows tile number `index`, whatever the size it is shown in."""
        row, column = divmod(index, COLUMNS)
        x = 100 * column / max(1, self.columns - 1)
        y = 100 * row / max(1, self.rows - 1)
        return f"--x:{x:.4f}%;--y:{y:.4f}%"


def write_sheets(folder: Path, name: str, tiles: Mapping[str, Sequence[np.ndarray | None]]) -> dict[str, str]:
    """Write one sheet per layer; layer -> file name, of the layers that any sample has.

    Args:
        folder: to write into.
        name: start of the file names, `<name>-<layer>.jpg` or `.webp`.
        tiles: layer -> a tile per sample, (H, W, 3) RGB or (H, W, 4) RGBA; None where the sample has no such label.
    """
    files = {}
    for layer, drawn in tiles.items():
        if all(tile is None for tile in drawn):
            continue
        sheet = _assemble(drawn)
        files[layer] = f"{name}-{layer}.{'jpg' if sheet.shape[2] == 3 else 'webp'}"
        write_whole(folder / files[layer], _encode(sheet, _WEBP_QUALITY.get(layer, _LOSSLESS)))
    return files


def sheet_style(grid: SheetGrid, files: dict[str, str]) -> str:
    """CSS for an element around stacks: the sheets' size in tiles and their files, layer by layer."""
    urls = "".join(f";--{layer}:url('{quote(file, safe='')}')" for layer, file in files.items())
    return f"--columns:{grid.columns};--rows:{grid.rows}{urls}"


def stack(grid: SheetGrid, index: int, layers: Sequence[str], told: str) -> Html:
    """Layers of tile number `index` on top of each other, as one picture that `told` describes."""
    sheets = [element("i", class_=f"layer {layer}") for layer in layers]
    return element("div", *sheets, class_="stack", role="img", aria_label=told, style=grid.style(index))


def _assemble(tiles: Sequence[np.ndarray | None]) -> np.ndarray:
    grid, (height, width) = SheetGrid(len(tiles)), TILE_HW
    channels = next(tile.shape[2] for tile in tiles if tile is not None)
    sheet = np.zeros((grid.rows * height, grid.columns * width, channels), np.uint8)
    if channels == 3:
        sheet[:] = PAPER
    for index, tile in enumerate(tiles):
        if tile is not None:
            row, column = divmod(index, COLUMNS)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return sheet


def _encode(sheet: np.ndarray, webp_quality: int) -> bytes:
    if sheet.shape[2] == 3:
        return encode_jpeg(sheet, _JPEG_QUALITY)
    swapped = cv2.cvtColor(sheet, cv2.COLOR_RGBA2BGRA)
    return cv2.imencode(".webp", swapped, [cv2.IMWRITE_WEBP_QUALITY, webp_quality])[1].tobytes()
