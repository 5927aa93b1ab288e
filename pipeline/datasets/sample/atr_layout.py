"""The sample set in ATR's layout: one person per image, part masks, id lists beside the archive."""

from __future__ import annotations

from typing import Iterable, Mapping

import numpy as np

from pipeline.datasets.sample.layout import Drawn, Layout, Member, jpeg, lines, png, running_number
from pipeline.datasets.sample.part_names import drawable_parts, parts_lut
from pipeline.datasets.sample.scene import draw_scene
from pipeline.taxonomy import label_set

SPLITS = ("train", "val", "test")
ARCHIVE, ROOT = "humanparsing.zip", "humanparsing"
_SOURCES = ("dataset10k_{}", "2500_{}", "dataset10k_{}", "fash_{}", "Multi_{}")
_ATR = label_set("atr")


def _draw(rng: np.random.Generator, split: str, index: int) -> Drawn:
    stem = _SOURCES[index % len(_SOURCES)].format(running_number(SPLITS, split, index))
    size_hw = int(rng.integers(230, 271)), int(rng.integers(140, 181))
    scene = draw_scene(rng, size_hw, 1, allowed=drawable_parts(_ATR), heights=(0.95, 1.2), thing=0.0)
    members = (
        Member(ARCHIVE, f"{ROOT}/JPEGImages/{stem}.jpg", jpeg(rng, scene.image)),
        Member(ARCHIVE, f"{ROOT}/SegmentationClassAug/{stem}.png", png(parts_lut(_ATR)[scene.parts])),
    )
    return Drawn(members, stem)


def _close(records: Mapping[str, list[str]]) -> Iterable[Member]:
    for split, stems in records.items():
        yield Member(f"{split}_id.txt", "", lines(sorted(stems)))


ATR = Layout(SPLITS, _draw, _close)
