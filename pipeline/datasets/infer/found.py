"""What looking at a data set gives: the entry of params.yaml, its sets of names, and what had to be guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.errors import DataError
from pipeline.taxonomy import LABEL_SETS, KeypointSet, LabelSet
from pipeline.taxonomy.sides import mirrored_name

GUESSED_SINGLE = (
    "people: single, for nothing tells people apart: each photo counts as one person's crop. Write `many` if several "
    "people are on a photo; a detector then cuts them out"
)
NO_MASKS = "person"
"""Label set of photos without masks; nothing reads it."""


@dataclass(frozen=True)
class Inferred:
    """A data set as it was found.

    Attributes:
        layout: its reader.
        splits: as the source has them, or as they will be drawn.
        people: "single" or "many".
        parts: its label set, built in or its own.
        notes: by class, what helps to name it.
        joints: its keypoint set, built in or its own; None where it has none.
        annotations: split -> JSON file, for layout coco_json.
        found: what was seen, a line each.
        guessed: what was not told and had to be assumed, a line each.
        told_apart: whether the source says which pixels are whose.
    """

    layout: str
    splits: tuple[str, ...]
    people: str
    parts: LabelSet
    notes: tuple[str, ...] = ()
    joints: KeypointSet | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    told_apart: bool = False

    @property
    def own_parts(self) -> bool:
        """Whether the label set is none of the built-in ones."""
        return LABEL_SETS.get(self.parts.name) is not self.parts


def built_in(names: Sequence[str]) -> LabelSet | None:
    """The built-in label set of exactly these classes, in whatever order; the background may be left out."""
    wanted = {"background", *names}
    return next((one for one in LABEL_SETS.values() if set(one.part_names) == wanted), None)


def own_set(name: str, names: Sequence[str], colours: Sequence[tuple[int, int, int]] | None = None) -> LabelSet:
    """A label set of these classes, background first.

    Raises:
        DataError: the names or the colours make none.
    """
    try:
        return LabelSet(name, tuple(names), None if colours is None else tuple(colours))
    except ValueError as error:
        raise DataError(f"{error}. Mend the names") from error


def with_both_sides(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names, with the missing one of every left and right added at the end; and those added."""
    added = [other for one in names if (other := mirrored_name(one)) not in names]
    return [*names, *added], added


def people_of(most: int, told_apart: bool) -> tuple[str, list[str]]:
    """ "single" or "many" by the most people of a photo, and the guess that it is, if so."""
    if not told_apart:
        return "single", [GUESSED_SINGLE]
    return ("many" if most > 1 else "single"), []


def drawn(count: int) -> tuple[str, ...]:
    """The splits that photos without any are drawn into."""
    return ("train", "val") if count > 1 else ("train",)
