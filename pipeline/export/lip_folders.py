"""The folders that loaders made for LIP read: <split>_images/*.jpg, <split>_segmentations/*.png, <split>_id.txt."""

from __future__ import annotations

from pathlib import Path

from pipeline.export.files import JPEG, image_file, mask_png, needed
from pipeline.export.target import NamedSamples
from pipeline.shards.step import Tally

_UNLABELLED = "test"
"""LIP publishes no masks of this split, and loaders ask for none."""


def write_lip_split(root: Path, split: str, samples: NamedSamples, tally: Tally, form: str) -> NamedSamples:
    """Write each sample as it passes.

    Raises:
        DataError: a sample of another split than test has no mask.
    """
    images, masks = root / f"{split}_images", root / f"{split}_segmentations"
    for folder in (images, masks):
        folder.mkdir(parents=True)
    with (root / f"{split}_id.txt").open("w", encoding="utf-8", newline="\n") as ids:
        for stem, sample in samples:
            (images / f"{stem}.jpg").write_bytes(image_file(sample, JPEG, tally)[1])
            mask = mask_png(sample)
            if mask is not None or split != _UNLABELLED:
                (masks / f"{stem}.png").write_bytes(needed(mask, "part mask", sample, form))
            ids.write(f"{stem}\n")
            yield stem, sample
