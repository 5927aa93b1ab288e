"""Any COCO JSON: people (category `person`) with boxes, masks and joints, parts as categories named as in the label set, or both.

`annotations` of params.yaml names the JSON of each split; images lie anywhere in the archives under the names that it gives. The
images of a JSON that several splits name are dealt out to them by the seed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.datasets.coco import parse_annotation, read_table
from pipeline.datasets.items import Annotation, Region, ids_of_paths
from pipeline.datasets.labels import Labels, annotated, person_maps, plain_labels, whole_rle
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import IMAGE_ENDINGS
from pipeline.datasets.splits import drawn_splits
from pipeline.errors import DataError
from pipeline.images import encode_png
from pipeline.records import People
from pipeline.rle import decode_rle
from pipeline.sources.archives import Archives, Member
from pipeline.sources.containers import told_name
from pipeline.taxonomy import LabelSet, class_key

_PERSON = "person"


def coco_json_items(archives: Archives, split: str, options: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """Every image of the split's JSON in its order, also those without annotations; its share where others name that JSON, too.

    Raises:
        DataError: the JSON is missing or malformed, names a missing image, or has a category that the label set lacks.
    """
    table, content = _table(archives, split, options)
    people: dict[Any, list[Annotation]] = defaultdict(list)
    regions: dict[Any, list[Region]] = defaultdict(list)
    try:
        classes = _classes(content["categories"], content["annotations"], options.label_set, table.name)
        for annotation in content["annotations"]:
            kind = classes[annotation["category_id"]]
            if kind == _PERSON:
                one = parse_annotation(annotation, table.name, options.num_keypoints or 0)
                people[annotation["image_id"]].append(one)
            elif isinstance(kind, int) and annotation.get("segmentation"):
                regions[annotation["image_id"]].append(Region(kind, annotation["segmentation"]))
            elif isinstance(kind, int):
                raise DataError(
                    f"{table.name}, annotation {annotation.get('id')}: a part without a segmentation. Add it"
                )
        listed = [(image["id"], _file_name(image), image) for image in content["images"]]
        sizes = [(int(image["height"]), int(image["width"])) for _, _, image in listed]
        ids = {image_id for image_id, *_ in listed}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{table.name}: not COCO's form, {error!r} is missing or of another type. Export it again"
        ) from error
    _refuse_strays(ids, (*people, *regions), table.name)
    names = ids_of_paths([name for _, name, _ in listed], table.name)
    shared = _sharing(split, options)
    ours = set(names if len(shared) == 1 else drawn_splits(names, shared, options.seed)[split])
    items = []
    for sample_id, (image_id, name, _), size in zip(names, listed, sizes, strict=True):
        if sample_id not in ours:
            continue
        known = tuple(people[image_id]) or ((Annotation(),) if options.people == "single" else ())
        image = _image(archives, name, table.name)
        items.append(SourceItem(sample_id, image, annotations=known, image_hw=size, regions=tuple(regions[image_id])))
    return items


def _sharing(split: str, options: ReaderOptions) -> list[str]:
    """The splits that name the same JSON."""
    return [one for one in options.splits if options.annotations[one] == options.annotations[split]]


def _table(archives: Archives, split: str, options: ReaderOptions) -> tuple[Member, dict[str, Any]]:
    table = archives.require(options.annotations[split], f"Mend `annotations.{split}`, or add the file")
    return table, read_table(archives, table)


def _classes(
    categories: list[dict[str, Any]], annotations: list[dict[str, Any]], label_set: LabelSet | None, name: str
) -> dict[Any, int | str | None]:
    """Category id -> the id of its part, "person", or None where nobody asks for it.

    With label set `person` other categories are no business of ours; otherwise an annotated one has to be a part.
    """
    used = {annotation["category_id"] for annotation in annotations}
    people_only = label_set is None or label_set.name == _PERSON
    parts = (
        {}
        if label_set is None or people_only
        else {class_key(part): label_set.id(part) for part in label_set.part_names}
    )
    classes: dict[Any, int | str | None] = {}
    for category in categories:
        named = class_key(str(category["name"]))
        classes[category["id"]] = _PERSON if named == _PERSON else parts.get(named)
        if not people_only and classes[category["id"]] is None and category["id"] in used:
            raise DataError(
                f"{name}: category {category['name']!r} is neither `person` nor a class of label set {label_set.name!r} "  # type: ignore[union-attr]
                f"({', '.join(parts)}). Rename it, or take another label set"
            )
    if people_only and _PERSON not in classes.values():
        raise DataError(f"{name}: has no category named 'person'. Name it so, or give the label set of its parts")
    return classes


def _refuse_strays(known: set[Any], meant: tuple[Any, ...], name: str) -> None:
    stray = next((one for one in meant if one not in known), None)
    if stray is not None:
        raise DataError(f"{name}: an annotation is of image {stray!r}, which `images` lacks. Export it again")


def _file_name(image: dict[str, Any]) -> str:
    name = told_name(str(image["file_name"]).replace("\\", "/"))
    if not PurePosixPath(name).name:
        raise ValueError(f"an image's file_name is {name!r}")
    return name


def _image(archives: Archives, name: str, table: str) -> Member:
    found = archives.find(name) or archives.find(PurePosixPath(name).name)
    if found is None:
        raise DataError(f"{table}: names {name}, but no archive there holds it. Add it or mend the JSON")
    return found


def coco_json_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """Mask and person ids from the outlines; where two overlap, the smaller one lies on top.

    Raises:
        DataError: a segmentation is broken.
    """
    if label_set.name == _PERSON:
        return plain_labels(archives, item, image_hw, label_set)
    mask = np.zeros(image_hw, np.uint8)
    bodies = [decode_rle(whole_rle(region.segmentation, image_hw, item.image.name)) for region in item.regions]
    for place in sorted(range(len(bodies)), key=lambda one: -int(bodies[one].sum())):
        mask[bodies[place]] = item.regions[place].part
    people = annotated(item.annotations, image_hw, item.image.name) if item.annotations else People.empty()
    people_map = None
    if any(rle is not None for rle in people.rles):
        _, people_map = person_maps(people, image_hw, item.image.name)
    return Labels(encode_png(mask), people_map, people)


def coco_json_account(archives: Archives, options: ReaderOptions) -> dict[str, Any]:
    """How the set was split; images that no JSON names; annotations of categories nobody asks for, joints without a keypoint set."""
    figures: Counter[str] = Counter(annotations_of_other_categories=0, keypoints_not_read=0)
    first_of_each = [split for split in options.splits if _sharing(split, options)[0] == split]
    images = {member for member in archives.members if member.path.lower().endswith(IMAGE_ENDINGS)}
    for split in first_of_each:
        table, content = _table(archives, split, options)
        images -= {_image(archives, _file_name(image), table.name) for image in content["images"]}
        classes = _classes(content["categories"], content["annotations"], options.label_set, table.name)
        for annotation in content["annotations"]:
            figures["annotations_of_other_categories"] += classes[annotation["category_id"]] is None
            figures["keypoints_not_read"] += options.num_keypoints is None and bool(annotation.get("keypoints"))
    drawn = len(first_of_each) < len(options.splits)
    return {
        "split": f"drawn by seed {options.seed}" if drawn else "JSON files",
        "unlisted_images": len(images),
        **figures,
    }


COCO_JSON = Layout(
    "coco_json", ("train", "val", "test"), coco_json_items, {}, None, coco_json_labels, coco_json_account
)
