"""What every reader gives: the items of a split in the source's order, and a record of each item.

A reader knows one layout: where images, masks and joints lie in the archives and what their quirks are. It lists a split's
items without decoding a pixel; `read_item` then turns one item into a checked ImageRecord. A new data set is one more
`Layout`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline.datasets.items import Annotation, SourceItem
from pipeline.datasets.labels import Labels, plain_labels
from pipeline.errors import DataError, SizesDiffer
from pipeline.images import SIDEWAYS, decode_image, exif_orientation
from pipeline.records import ImageRecord
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LabelSet


@dataclass(frozen=True)
class ReaderOptions:
    """What params.yaml says that a reader may need.

    Attributes:
        seed: of splits that are drawn.
        splits: all splits that are asked for.
        annotations: split -> JSON file.
        people: "single" or "many".
        label_set: what the masks hold; None where nobody said so.
        num_keypoints: joints of a person in the source's lists; None where it has none.
    """

    seed: int = 0
    splits: tuple[str, ...] = ("train", "val")
    annotations: Mapping[str, str] = field(default_factory=dict)
    people: str = "many"
    label_set: LabelSet | None = None
    num_keypoints: int | None = None


PLAIN = ReaderOptions()


class ListItems(Protocol):
    """Archives and split -> the items in the source's order; raises DataError for a broken list file."""

    def __call__(self, archives: Archives, split: str, options: ReaderOptions = PLAIN, /) -> Sequence[SourceItem]:
        """The split's items."""


LabelReader = Callable[[Archives, SourceItem, tuple[int, int], LabelSet], Labels]
"""Archives, item, (height, width) of the image, label set -> its labels."""


@dataclass(frozen=True)
class Layout:
    """A data set's layout.

    Attributes:
        name: its name in params.yaml's `layout`.
        splits: the splits that it has.
        items: lists a split.
        published: images per split of the published set, empty where it is not one set.
        keypoint_sets: the keypoint sets that its joints can be of; empty where it has none, None where any will do.
        labels: reads the labels of an item.
        account: figures about the source as a whole for the metrics: how it was split, what no split holds.
        source_image: sample id -> the image that it was cut from, where the ids tell.
    """

    name: str
    splits: tuple[str, ...]
    items: ListItems
    published: Mapping[str, int]
    keypoint_sets: tuple[str, ...] | None = ()
    labels: LabelReader = plain_labels
    account: Callable[[Archives, ReaderOptions], dict[str, Any]] | None = None
    source_image: Callable[[str], str] | None = None


def read_item(
    archives: Archives,
    item: SourceItem,
    dataset: str,
    split: str,
    label_set: LabelSet,
    labels: LabelReader = plain_labels,
) -> ImageRecord:
    """The record of an item, its parts checked against each other.

    Raises:
        DataError: a file cannot be read, sizes differ, or a label is unknown; the message begins with <dataset>/<id>.
    """
    return read_decoded(archives, item, dataset, split, label_set, labels).record


class Decoded(NamedTuple):
    """A record, its image as (H, W, 3) uint8 RGB, and what its source's maps say against each other."""

    record: ImageRecord
    pixels: np.ndarray
    contradictions: tuple[str, ...]


def read_decoded(
    archives: Archives,
    item: SourceItem,
    dataset: str,
    split: str,
    label_set: LabelSet,
    labels: LabelReader = plain_labels,
) -> Decoded:
    """The record of an item as `read_item` gives it, and what was seen on the way.

    Raises:
        DataError: as of `read_item`.
    """
    try:
        image = archives.read(item.image)
        if item.embedded:
            image = embedded_image(image, item.image.name)
        pixels = decode_image(image, item.image.name)
        height, width = pixels.shape[:2]
        if item.image_hw is not None and tuple(item.image_hw) != (height, width):
            raise SizesDiffer(
                f"{item.image.name} is {width}x{height}, its annotations say {item.image_hw[1]}x{item.image_hw[0]}. "
                "Get the image again, or scale the annotations with it"
            )
        known = labels(archives, item, (height, width), label_set)
    except SizesDiffer as error:
        raise SizesDiffer(f"{dataset}/{item.sample_id}: {error}{_why(image)}") from error
    except DataError as error:
        raise type(error)(f"{dataset}/{item.sample_id}: {error}") from error
    record = ImageRecord(
        sample_id=item.sample_id,
        dataset=dataset,
        split=split,
        image=image,
        path=item.image.name,
        width=width,
        height=height,
        mask=known.mask,
        people_map=known.people_map,
        people=known.people,
    )
    return Decoded(record, pixels, known.contradictions)


def _why(image: bytes) -> str:
    """Why an image may have another size than its labels: it is stored on its side, and they were made of it as stored."""
    orientation = exif_orientation(image)
    if orientation not in SIDEWAYS:
        return ""
    return (
        f". The image is stored on its side (EXIF orientation {orientation}) and read upright, as viewers show it: make the labels "
        "of the upright image, or turn them"
    )


def embedded_image(data: bytes, name: str) -> bytes:
    """The bytes of an image that stand, in base64, as `imageData` in a JSON.

    Raises:
        DataError: they do not.
    """
    try:
        return base64.b64decode(json.loads(data)["imageData"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{name}: no readable imageData ({error}). Put the photo beside it") from error


__all__ = ["PLAIN", "Annotation", "Layout", "ListItems", "ReaderOptions", "SourceItem", "read_decoded", "read_item"]
