"""Classes of a set of masks, from the pixels: ids, shades of grey, colour tables or colours."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.errors import DataError
from pipeline.images import decode_colour_table, decode_colours, decode_map
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import IGNORE, voc_palette

Colour = tuple[int, int, int]
MOST_COLOURS = 64
BLACK: Colour = (0, 0, 0)
_VOC_IDS = 64
"""Of VOC's table: with more of it, colours of other tables would be in it by chance."""


@dataclass(frozen=True)
class MaskClasses:
    """Classes by id, the background first.

    Attributes:
        form: how the masks tell them, in words.
        colours: of each id; None where the masks hold the ids themselves.
        notes: by id, how much of it there is and where.
        ignores: whether 255 occurs and stands for no class.
        ordered: whether the order is the masks' own, so that a list of names can follow it.
        guessed: what had to be assumed.
    """

    form: str
    count: int
    colours: tuple[Colour, ...] | None
    notes: tuple[str, ...]
    ignores: bool = False
    ordered: bool = True
    guessed: tuple[str, ...] = ()


@dataclass
class _Seen:
    """Values that occur: ids, or colours as numbers; pixels of each, masks that have it, and one of those."""

    pixels: Counter[int] = field(default_factory=Counter)
    masks: Counter[int] = field(default_factory=Counter)
    example: dict[int, str] = field(default_factory=dict)

    def add(self, values: np.ndarray, name: str) -> None:
        for value, count in zip(*np.unique(values, return_counts=True), strict=True):
            self.pixels[int(value)] += int(count)
            self.masks[int(value)] += 1
            self.example.setdefault(int(value), name)

    def note(self, value: int) -> str:
        if value not in self.masks:
            return "in no mask"
        share = 100 * self.pixels[value] / self.pixels.total()
        return f"{share:.2g} % of the pixels, in {self.masks[value]} masks, for instance {self.example[value]}"


def classes_of_masks(
    archives: Archives, masks: Sequence[Member], progress: Callable[[int, int], None] = lambda done, total: None
) -> MaskClasses:
    """The classes that the masks show.

    Raises:
        DataError: a mask cannot be read, the masks are of several forms, or they show more colours than classes could have.
    """
    ids, colours, tables = _Seen(), _Seen(), defaultdict[int, set[Colour]](set)
    forms: dict[str, str] = {}
    for number, mask in enumerate(masks, start=1):
        data, name = archives.read(mask), mask.name
        rgb, table = decode_colours(data, name), decode_colour_table(data)
        shown = table if rgb is None else rgb
        form = "colours" if rgb is not None else "grey values" if table is None else "a colour table"
        forms.setdefault(form, name)
        if shown is not None:
            colours.add(_numbers(shown, name), _file(name))
        if rgb is None:
            values = decode_map(data, name)
            ids.add(values, _file(name))
            for value, colour in _pairs(values, shown):
                tables[value].add(colour)
        progress(number, len(masks))
    if len(forms) > 1:
        (one, first), (other, second), *_ = forms.items()
        raise DataError(
            f"masks are of several kinds: {first} holds {one}, {second} {other}. Export all of them in one way"
        )
    if "grey values" in forms:
        return _of_values(ids)
    if "a colour table" in forms and all(len(shown) == 1 for shown in tables.values()):
        return _of_table(ids, {value: next(iter(shown)) for value, shown in tables.items()})
    return _of_colours(colours)


def _numbers(rgb: np.ndarray, name: str) -> np.ndarray:
    numbers = rgb.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    count = len(np.unique(numbers))
    if count > MOST_COLOURS:
        raise DataError(
            f"{name}: {count} colours, where a mask has one of each class. Export the masks as PNGs of class ids, or of colours "
            "without smoothing"
        )
    return numbers


def _pairs(values: np.ndarray, shown: np.ndarray | None) -> Iterator[tuple[int, Colour]]:
    if shown is not None:
        for value, place in zip(*np.unique(values, return_index=True), strict=True):
            yield int(value), _colour(shown.reshape(-1, 3)[place])


def _colour(rgb: np.ndarray) -> Colour:
    return int(rgb[0]), int(rgb[1]), int(rgb[2])


def _file(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _of_values(seen: _Seen) -> MaskClasses:
    """Grey values: ids where they lie close to each other, else shades."""
    values = sorted(seen.masks)
    if count := _count_of_ids(values):
        notes = tuple(seen.note(value) for value in range(count))
        return MaskClasses("grey PNGs of ids", count, None, notes, IGNORE in values, guessed=_ground(seen, 0, "id 0"))
    if len(values) < 2:
        raise DataError(f"masks: all pixels of all masks are {values}. A mask has the class id of every pixel")
    guessed = [f"the grey values {values} are no ids but shades, one of each class"]
    if IGNORE in values:
        guessed.append("255 is a class; if it means `ignore`, take the last name and colour out of the file")
    return MaskClasses(
        "grey PNGs of shades", len(values), tuple((one, one, one) for one in values), tuple(map(seen.note, values)),
        ordered=False, guessed=(*guessed, *_ground(seen, 0, f"the darkest shade, {values[0]},")),
    )  # fmt: skip


def _of_table(seen: _Seen, table: dict[int, Colour]) -> MaskClasses:
    """Indices of one colour table: the indices are the ids."""
    ids = [value for value in sorted(table) if value != IGNORE]
    if not ids or ids[-1] == 0:
        raise DataError("masks: no pixel of any mask has another index than 0. A mask has the class id of every pixel")
    count = ids[-1] + 1
    spare = iter(colour for colour in map(_colour, voc_palette()[1:]) if colour not in table.values())
    colours = tuple(table[value] if value in table else next(spare) for value in range(count))
    # Colours would go before the indices; they only may where they say the same.
    same = len(set(colours)) == count and table.get(IGNORE) not in colours
    notes = tuple(seen.note(value) for value in range(count))
    form = "PNGs with a colour table, whose indices are the ids"
    ground = _ground(seen, 0, "index 0")
    return MaskClasses(form, count, colours if same else None, notes, IGNORE in table, guessed=ground)


def _count_of_ids(values: Sequence[int]) -> int:
    """How many ids grey values are, 0 where they lie too far apart to be some."""
    ids = [value for value in values if value != IGNORE]
    return ids[-1] + 1 if ids and 0 < ids[-1] <= 3 * len(ids) + 10 else 0


def _of_colours(seen: _Seen) -> MaskClasses:
    """Colours: VOC's by their ids, grey ones by their values, others in the order of their numbers; black is the background."""
    colours = [_unnumbered(number) for number in sorted(seen.masks)]
    if len(colours) < 2:
        raise DataError(
            f"masks: all pixels of all masks have the colour {list(colours[0])}. A mask has a colour of each class"
        )
    if len(colours) > MOST_COLOURS:
        raise DataError(
            f"masks: {len(colours)} colours in all, where a class has one. Export the masks as PNGs of class ids"
        )
    voc = [_colour(one) for one in voc_palette(_VOC_IDS)]
    form, ordered, guessed = "PNGs of colours", False, list[str]()
    if all(len(set(colour)) == 1 for colour in colours):
        if count := _count_of_ids([colour[0] for colour in colours]):
            colours, form, ordered = [(one, one, one) for one in range(count)], "PNGs of ids in three channels", True
    elif BLACK in colours and set(colours) <= set(voc):
        colours, form, ordered = voc[: max(map(voc.index, colours)) + 1], "PNGs of PASCAL VOC's colours", True
    if BLACK not in colours:
        ground = _unnumbered(seen.pixels.most_common(1)[0][0])
        colours = [ground, *(one for one in colours if one != ground)]
        guessed = [f"the most frequent colour, {list(ground)}, is the background; no mask has black"]
    notes = tuple(seen.note((red << 16) + (green << 8) + blue) for red, green, blue in colours)
    return MaskClasses(form, len(colours), tuple(colours), notes, ordered=ordered, guessed=tuple(guessed))


def _unnumbered(number: int) -> Colour:
    return number >> 16, number >> 8 & 255, number & 255


def _ground(seen: _Seen, value: int, what: str) -> tuple[str, ...]:
    return () if value in seen.masks else (f"{what} is the background, though no mask has it",)
