"""One image of a split as its source lists it: where its files lie and what is written about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.sources.archives import Member


@dataclass(frozen=True)
class Annotation:
    """One annotated person as the source states it.

    Attributes:
        box: x, y, w, h; None is the whole image.
        crowd: a region of people who are not told apart.
        segmentation: polygons or RLE as in COCO's JSON; None where a map tells.
        keypoints: flat x, y, v with v as in COCO, or None.
    """

    box: tuple[float, ...] | None = None
    crowd: bool = False
    segmentation: Any = None
    keypoints: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Region:
    """The outline of one part: its class id, and polygons or RLE as in COCO's JSON."""

    part: int
    segmentation: Any


@dataclass(frozen=True)
class SourceItem:
    """One image of a split: its files in the archives and what lists say of it."""

    sample_id: str
    image: Member
    mask: Member | None = None
    people_map: Member | None = None
    annotations: tuple[Annotation, ...] = field(default=())
    image_hw: tuple[int, int] | None = None
    """(height, width) that the source states, where it does."""
    label_files: tuple[Member, ...] = ()
    """Files of another form than maps of ids, for the layout's own reading of labels."""
    regions: tuple[Region, ...] = ()
    """Outlines of parts, in place of a mask."""

    def content(self) -> dict[str, Any]:
        """All that decides the record, JSON-able: files by name, size and CRC."""
        content = asdict(self)
        # Left out where empty, so that a set without them keeps the hashes that it had before there were any.
        return {key: value for key, value in content.items() if value or key not in ("label_files", "regions")}
