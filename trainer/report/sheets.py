"""Sprite sheets: many tiles in one picture, so that the report stays a handful of files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.images import encode_jpeg
from pipeline.shards.write import write_whole

COLUMNS, ROWS = 10, 12
PER_SHEET = COLUMNS * ROWS
_JPEG_QUALITY = 84
_PNG_LEVEL = 6


@dataclass(frozen=True)
class Tiles:
    """A sample's tiles: a picture, and maps that a palette colours; None where it has no such label."""

    image: np.ndarray
    mask: np.ndarray | None = None
    prediction: np.ndarray | None = None
    edges: np.ndarray | None = None
    heatmaps: np.ndarray | None = None


LAYERS = tuple(field.name for field in fields(Tiles))


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

    def position(self, index: int) -> str:
        """CSS background-position that shows tile number `index`, whatever the size it is shown in."""
        row, column = divmod(index, COLUMNS)
        x = 100 * column / max(1, self.columns - 1)
        y = 100 * row / max(1, self.rows - 1)
        return f"{x:.5g}% {y:.5g}%"


def write_sheet(folder: Path, name: str, tiles: Sequence[Tiles], palettes: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Write one sheet per layer; layer -> file name, of the layers that any of the samples has.

    Args:
        folder: to write into.
        name: start of the file names, `<name>-<layer>.jpg` or `.png`.
        tiles: at most PER_SHEET.
        palettes: layer -> (N, 4) uint8 RGBA of its numbers, of every layer but the image.
    """
    files = {"image": f"{name}-image.jpg"}
    write_whole(folder / files["image"], encode_jpeg(_assemble([one.image for one in tiles]), _JPEG_QUALITY))
    for layer, palette in palettes.items():
        drawn: list[np.ndarray | None] = [getattr(one, layer) for one in tiles]
        if any(tile is not None for tile in drawn):
            files[layer] = f"{name}-{layer}.png"
            write_whole(folder / files[layer], encode_indexed(_assemble(drawn), palette))
    return files


def encode_indexed(ids: np.ndarray, palette: np.ndarray) -> bytes:
    """PNG of (H, W) uint8 numbers below N, shown in the (N, 4) uint8 RGBA of the palette."""
    picture = Image.fromarray(ids)
    picture.putpalette(palette[:, :3].tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", transparency=palette[:, 3].tobytes(), compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def _assemble(tiles: Sequence[np.ndarray | None]) -> np.ndarray:
    grid = SheetGrid(len(tiles))
    height, width, *channels = next(tile.shape for tile in tiles if tile is not None)
    sheet = np.zeros((grid.rows * height, grid.columns * width, *channels), np.uint8)
    for index, tile in enumerate(tiles):
        if tile is not None:
            row, column = divmod(index, COLUMNS)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
    return sheet
