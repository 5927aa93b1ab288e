"""Source images that two splits cut their people from: what a model has learnt of one it may know of the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SharedSource:
    """A source image of two splits, with the first sample that each has of it."""

    source: str
    split: str
    sample_id: str
    earlier_split: str
    earlier_id: str


def shared_sources(ids: Mapping[str, Sequence[str]], source_image: Callable[[str], str]) -> list[SharedSource]:
    """Source images of every pair of splits, in the later split's order; each image once per pair.

    Args:
        ids: split -> sample ids.
        source_image: sample id -> its source image.
    """
    firsts: dict[str, dict[str, str]] = {}
    found = []
    for split, samples in ids.items():
        own: dict[str, str] = {}
        for sample_id in samples:
            own.setdefault(source_image(sample_id), sample_id)
        found += [
            SharedSource(source, split, sample_id, earlier, known[source])
            for source, sample_id in own.items()
            for earlier, known in firsts.items()
            if source in known
        ]
        firsts[split] = own
    return found
