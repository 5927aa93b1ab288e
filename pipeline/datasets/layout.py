"""What every reader gives: the items of a split in the source's order, and a record of each item.

A reader knows one layout: where images, masks and joints lie in the archives and what their quirks are. It lists a split's
items without decoding a pixel; `read_item` then turns one item into a checked ImageRecord. A new data set is one more
`Layout`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.errors import DataError
from pipeline.images import decode_image, decode_map, encode_png
from pipeline.records import ImageRecord, People, Rle, check_rle, decode_rle
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import IGNORE, LABEL_SETS, LabelSet


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
class SourceItem:
    """One image of a split: its files in the archives and what lists say of it."""

    sample_id: str
    image: Member
    mask: Member | None = None
    people_map: Member | None = None
    annotations: tuple[Annotation, ...] = field(default=())
    image_hw: tuple[int, int] | None = None
    """(height, width) that the source states, where it does."""

    def content(self) -> dict[str, Any]:
        """All that decides the record, JSON-able: files by name, size and CRC."""
        return asdict(self)


@dataclass(frozen=True)
class Layout:
    """A data set's layout.

    Attributes:
        name: its name in params.yaml's `layout`.
        splits: the splits that it has.
        items: archives and split -> the items in the source's order; raises DataError for a broken list file.
        published: images per split of the published set, None where that is not known.
    """

    name: str
    splits: tuple[str, ...]
    items: Callable[[Archives, str], Sequence[SourceItem]]
    published: Mapping[str, int]


def read_item(archives: Archives, item: SourceItem, dataset: str, split: str, label_set: LabelSet) -> ImageRecord:
    """The record of an item, its parts checked against each other.

    Raises:
        DataError: a file cannot be read, sizes differ, or a label is unknown; the message begins with <dataset>/<id>.
    """
    try:
        return _record(archives, item, dataset, split, label_set)
    except DataError as error:
        raise DataError(f"{dataset}/{item.sample_id}: {error}") from error


def _record(archives: Archives, item: SourceItem, dataset: str, split: str, label_set: LabelSet) -> ImageRecord:
    image = archives.read(item.image)
    height, width = decode_image(image, item.image.name).shape[:2]
    if item.image_hw is not None and tuple(item.image_hw) != (height, width):
        raise DataError(
            f"{item.image.name} is {width}x{height}, its annotations say {item.image_hw[1]}x{item.image_hw[0]}. "
            "Get the image again, or scale the annotations with it"
        )
    mask = people_map = None
    if item.mask is not None:
        mask = archives.read(item.mask)
        _check_mask(decode_map(mask, item.mask.name), (height, width), item.mask.name, label_set)
    people = None
    if item.people_map is not None:
        people_map = archives.read(item.people_map)
        ids = decode_map(people_map, item.people_map.name)
        _check_size(ids, (height, width), item.people_map.name)
        people = People.from_id_map(ids)
    elif item.annotations:
        people = _annotated(item.annotations, (height, width), item.image.name)
        if mask is None and any(rle is not None for rle in people.rles):
            mask, people_map = _person_maps(people, (height, width), item.image.name)
    elif label_set is LABEL_SETS["person"]:
        people = People.empty()
        mask = people_map = encode_png(np.zeros((height, width), np.uint8))
    return ImageRecord(
        sample_id=item.sample_id,
        dataset=dataset,
        split=split,
        image=image,
        path=item.image.name,
        width=width,
        height=height,
        mask=mask,
        people_map=people_map,
        people=people if people is not None else People.empty(),
    )


def _check_size(array: np.ndarray, image_hw: tuple[int, int], name: str) -> None:
    if array.shape != image_hw:
        raise DataError(
            f"{name} is {array.shape[1]}x{array.shape[0]}, its image is {image_hw[1]}x{image_hw[0]}. Export one of them again"
        )


def _check_mask(mask: np.ndarray, image_hw: tuple[int, int], name: str, label_set: LabelSet) -> None:
    _check_size(mask, image_hw, name)
    unknown = [int(value) for value in np.unique(mask) if value >= len(label_set) and value != IGNORE]
    if unknown:
        raise DataError(
            f"{name} holds the ids {unknown}, label set {label_set.name!r} has 0 to {len(label_set) - 1} and {IGNORE}. "
            "Choose the right label set or export the mask as class ids"
        )


def _annotated(annotations: Sequence[Annotation], image_hw: tuple[int, int], name: str) -> People:
    """People from a source's lists; ids count from 1 in the order of the lists."""
    height, width = image_hw
    rles: list[Rle | None] = []
    for annotation in annotations:
        segmentation = annotation.segmentation
        if segmentation is None:
            rles.append(None)
            continue
        try:
            if isinstance(segmentation, dict):
                rle = segmentation
                if isinstance(rle["counts"], list | tuple):
                    rle = coco_mask.frPyObjects(
                        {"size": list(rle["size"]), "counts": list(rle["counts"])}, height, width
                    )
                check_rle(rle)
            else:
                rle = coco_mask.merge(coco_mask.frPyObjects([list(ring) for ring in segmentation], height, width))
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise DataError(
                f"{name}: a segmentation is no polygon and no RLE ({error}). Mend the annotation"
            ) from error
        if list(rle["size"]) != [height, width]:
            raise DataError(f"{name}: a mask of {rle['size']}, the image is {[height, width]}. Mend the annotation")
        counts = rle["counts"]
        rles.append(
            {"size": [height, width], "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts}
        )
    keypoints = None
    if all(annotation.keypoints is not None for annotation in annotations):
        keypoints = [np.asarray(annotation.keypoints, np.float32).reshape(-1, 3) for annotation in annotations]
    return People.build(
        range(1, len(annotations) + 1),
        [annotation.box or (0, 0, width, height) for annotation in annotations],
        crowd=[annotation.crowd for annotation in annotations],
        rles=rles,
        keypoints=keypoints,
    )


def _person_maps(people: People, image_hw: tuple[int, int], name: str) -> tuple[bytes, bytes]:
    """Label set "person" and person ids from the people's masks: where two overlap, the smaller one lies on top."""
    if len(people) > 254:
        raise DataError(f"{name}: {len(people)} people, at most 254 fit into a map of ids. Leave the image out")
    mask, ids = np.zeros(image_hw, np.uint8), np.zeros(image_hw, np.uint8)
    pixels = [None if rle is None else decode_rle(rle) for rle in people.rles]
    order = sorted(
        range(len(people)), key=lambda i: (not people.crowd[i], 0 if (m := pixels[i]) is None else -int(m.sum()))
    )
    for index in order:
        region = pixels[index]
        if region is None:
            continue
        if people.crowd[index]:
            mask[region] = IGNORE
        else:
            mask[region], ids[region] = 1, people.ids[index]
    return encode_png(mask), encode_png(ids)
