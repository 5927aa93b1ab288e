"""openseg.pytorch and HRNet-Semantic-Segmentation: <split>/image, label and edge; list/lip/ is for the latter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.export.files import JPEG, edge_png, image_file, mask_png, needed
from pipeline.export.lip_rules import refuse_unlike_lip
from pipeline.export.target import NamedSamples, Target

# The names of list files tell HRNet's code how many columns to expect; the third of trainList.txt goes unread.
_LISTS = {"train": ("trainList.txt",), "val": ("valList.txt", "testvalList.txt")}


class OpenSeg:
    """openseg's data_dir, or HRNet's DATASET.ROOT."""

    version = 1
    escaped = r"\s"
    """A list's line is split at its spaces."""

    def __init__(self, target: Target) -> None:
        refuse_unlike_lip(target.parts, "openseg")
        self._target = target

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Images, masks, edges and the lists of a split."""
        root = self._target.folder / split
        for name in ("image", "label", "edge"):
            (root / name).mkdir(parents=True)
        lists = [self._target.folder / "list" / "lip" / name for name in _LISTS.get(split, ())]
        for path in lists:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for stem, sample in samples:
            mask = needed(mask_png(sample), "part mask", sample, "openseg")
            edge = needed(edge_png(sample), "edge map", sample, "openseg")
            (root / "image" / f"{stem}.jpg").write_bytes(image_file(sample, JPEG, self._target.tally)[1])
            (root / "label" / f"{stem}.png").write_bytes(mask)
            (root / "edge" / f"{stem}.png").write_bytes(edge)
            columns = [f"{split}/image/{stem}.jpg", f"{split}/label/{stem}.png"]
            _append(lists, " ".join(columns + columns[1:] if split == "train" else columns))

    def finish(self) -> dict[str, Any]:
        """Nothing belongs to the whole."""
        return {"num_classes": len(self._target.parts)}


def _append(lists: list[Path], line: str) -> None:
    for path in lists:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{line}\n")
