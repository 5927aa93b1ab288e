"""What a format is given, and what it does: write one split after the other into a folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline.records import Sample
from pipeline.shards.step import Tally
from pipeline.taxonomy import KeypointSet, LabelSet

NamedSamples = Iterable[tuple[str, Sample]]
"""Samples with the stems of their files, read one after the other."""


@dataclass(frozen=True)
class Target:
    """The folder to fill, and what the samples' labels mean.

    Attributes:
        place: the folder's final path; `folder` is where it lies until it is whole.
        keypoints: None where the samples have none.
        tally: figures for export.json.
    """

    folder: Path
    place: Path
    dataset: str
    splits: tuple[str, ...]
    parts: LabelSet
    keypoints: KeypointSet | None
    tally: Tally = field(default_factory=Tally)


class Format(Protocol):
    """A layout; made with the Target, which it refuses with a ParamsError where its tool would read the labels wrongly."""

    version: int
    """Raised whenever the same samples would give other files."""
    escaped: str
    """Regular expression of what the tool cannot read in a file name."""

    def __init__(self, target: Target) -> None: ...

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Write all files of a split."""

    def finish(self) -> dict[str, Any]:
        """Write what belongs to the whole; more about it for export.json."""


def flip_pairs(parts: LabelSet) -> list[tuple[int, int]]:
    """Pairs of ids that trade places when an image is mirrored."""
    partners = parts.hflip_lut[: len(parts)].tolist()
    return [(one, other) for one, other in enumerate(partners) if one < other]
