"""CIHP_PGN: images/, labels/, labels_rev/ (mirrored), edges/ (borders of people), list/ with paths that begin with a slash."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from pipeline.export.files import JPEG, image_file, mask_png, needed
from pipeline.export.lip_rules import refuse_unlike_lip
from pipeline.export.target import NamedSamples, Target
from pipeline.images import decode_map, encode_png
from pipeline.records import Sample
from pipeline.taxonomy import IGNORE, LabelSet


class Pgn:
    """The folder datasets/CIHP of that code."""

    version = 1
    escaped = r"\s"
    """A list's line is split at its spaces."""

    def __init__(self, target: Target) -> None:
        refuse_unlike_lip(target.parts, "pgn")
        self._target = target

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """All files of a split; its lists end without a newline, as theirs do."""
        root = self._target.folder
        for name in ("images", "labels", "labels_rev", "edges", "list"):
            (root / name).mkdir(exist_ok=True)
        with (
            (root / "list" / f"{split}.txt").open("w", encoding="utf-8", newline="\n") as pairs,
            (root / "list" / f"{split}_rev.txt").open("w", encoding="utf-8", newline="\n") as triples,
            (root / "list" / f"{split}_id.txt").open("w", encoding="utf-8", newline="\n") as ids,
        ):
            lead = ""
            for stem, sample in samples:
                self._write(stem, sample)
                pair = f"/images/{stem}.jpg /labels/{stem}.png"
                pairs.write(f"{lead}{pair}")
                triples.write(f"{lead}{pair} /labels_rev/{stem}.png")
                ids.write(f"{lead}{stem}")
                lead = "\n"

    def _write(self, stem: str, sample: Sample) -> None:
        root, parts = self._target.folder, self._target.parts
        data = needed(mask_png(sample), "part mask", sample, "pgn")
        mask = decode_map(data, f"mask of {sample.sample_id}")
        people = sample.decode_people()
        if people is None:
            self._target.tally["borders_from_part_masks"] += 1
            people = ((mask != 0) & (mask != IGNORE)).astype(np.uint8)
        (root / "images" / f"{stem}.jpg").write_bytes(image_file(sample, JPEG, self._target.tally)[1])
        (root / "labels" / f"{stem}.png").write_bytes(data)
        (root / "labels_rev" / f"{stem}.png").write_bytes(encode_png(mirrored(mask, parts)))
        (root / "edges" / f"{stem}.png").write_bytes(encode_png(person_borders(people)))

    def finish(self) -> dict[str, Any]:
        """Nothing belongs to the whole."""
        return {"num_classes": len(self._target.parts)}


def mirrored(mask: np.ndarray, parts: LabelSet) -> np.ndarray:
    """(H, W) uint8 mask of the mirrored image: left and right swapped in place and in name."""
    return np.ascontiguousarray(parts.hflip_lut[mask[:, ::-1]])


def person_borders(people: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of {0, 1}: where Sobel's gradient of the person ids, edges replicated, is not zero."""
    ids = people.astype(np.float32)
    across, down = (
        cv2.Sobel(ids, cv2.CV_32F, *order, ksize=3, borderType=cv2.BORDER_REPLICATE) for order in ((1, 0), (0, 1))
    )
    return ((across != 0) | (down != 0)).astype(np.uint8)
