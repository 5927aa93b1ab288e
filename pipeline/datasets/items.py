"""One image of a split as its source lists it: where its files lie and what is written about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import DataError
from pipeline.sources.archives import Member

_LATER = ("label_files", "regions", "embedded", "hidden_untold")
"""Fields that came later."""


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
    embedded: bool = False
    """`image` is a JSON that carries the image's bytes, as labelme's `imageData`."""
    hidden_untold: bool = False
    """Annotated joints have v 2 whether they are hidden or not: the source does not tell."""

    def content(self) -> dict[str, Any]:
        """All that decides the record, JSON-able: files by name, size and CRC."""
        content = _fields(self)
        for name in ("image", "mask", "people_map"):
            content[name] = content[name] and _fields(content[name])
        for name in ("annotations", "label_files", "regions"):
            content[name] = [_fields(one) for one in content[name]]
        # Left out where empty, so that a set without them keeps the hashes that it had before there were any.
        return {key: value for key, value in content.items() if value or key not in _LATER}


def _fields(one: Any) -> dict[str, Any]:
    """A dataclass's fields as they are: `asdict` would copy every number of every joint."""
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


def ids_of_paths(paths: Sequence[str], source: str) -> list[str]:
    """The files' stems; where two folders hold the same stem, the folders' names go before it.

    Args:
        paths: of the files.
        source: what names them, for errors.

    Raises:
        DataError: two files would have one id.
    """
    stems = Counter(PurePosixPath(path).stem for path in paths)
    ids = []
    for name in paths:
        path = PurePosixPath(name)
        ids.append(path.stem if stems[path.stem] == 1 else "_".join(path.with_suffix("").parts))
    twice = next((one for one, count in Counter(ids).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{source}: {twice!r} stands there twice. Remove one of them")
    return ids
