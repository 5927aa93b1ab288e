"""The sample set in LIP's layout: person crops, part masks in a zip within a zip, joints as csv."""

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple

import numpy as np

from pipeline.datasets.sample.layout import Drawn, Layout, Member, jpeg, lines, png, running_number
from pipeline.datasets.sample.part_names import drawable_parts, parts_lut
from pipeline.datasets.sample.scene import Joints, draw_portrait
from pipeline.taxonomy import keypoint_set, label_set

SPLITS = ("train", "val", "test")
IMAGES, MASKS = "TrainVal_images", "TrainVal_parsing_annotations"
POSES, TESTING = "TrainVal_pose_annotations", "Testing_images"
_LIP = label_set("lip")


class _Record(NamedTuple):
    stem: str
    row: str


def _stem(split: str, index: int) -> str:
    """<imageId>_<personId>; as in the real set, some people of val come from a source image of train."""
    number = running_number(SPLITS, split, index)
    shared = split == "val" and index % 8 == 0
    image = running_number(SPLITS, "train", index) if shared else number
    return f"{1000 + 13 * image}_{400000 + 7 * number}"


def _csv_row(stem: str, joints: Joints, size_hw: tuple[int, int]) -> str:
    """File name, then x, y, v of 16 joints as integers; v is 0 visible, 1 occluded (unlike COCO), nan without joint."""
    fields = [f"{stem}.jpg"]
    for name in keypoint_set("lip16").keypoint_names:
        x, y, v = joints.get(name, (0.0, 0.0, 0))
        if v == 0:
            fields += ["nan", "nan", "nan"]
            continue
        col, row = min(max(round(x), 0), size_hw[1] - 1), min(max(round(y), 0), size_hw[0] - 1)
        fields += [str(col), str(row), "0" if v == 2 else "1"]
    return ",".join(fields)


def _draw(rng: np.random.Generator, split: str, index: int) -> Drawn:
    stem = _stem(split, index)
    scene = draw_portrait(rng, allowed=drawable_parts(_LIP))
    image = jpeg(rng, scene.image)
    if split == "test":
        return Drawn((Member(f"{TESTING}.zip", f"{TESTING}/testing_images/{stem}.jpg", image),), _Record(stem, ""))
    mask = png(parts_lut(_LIP)[scene.parts])
    joints = scene.joints[0] if scene.joints else {}
    members = (
        Member(f"{IMAGES}.zip", f"{IMAGES}/{split}_images/{stem}.jpg", image),
        Member(f"{MASKS}.zip", f"{MASKS}/{split}_segmentations/{stem}.png", mask),
    )
    return Drawn(members, _Record(stem, _csv_row(stem, joints, scene.parts.shape)))


def _close(records: Mapping[str, list[_Record]]) -> Iterable[Member]:
    for split, drawn in records.items():
        ordered = sorted(drawn)
        archive = TESTING if split == "test" else IMAGES
        yield Member(f"{archive}.zip", f"{archive}/{split}_id.txt", lines(record.stem for record in ordered))
        if split != "test":
            yield Member(f"{POSES}.zip", f"{POSES}/lip_{split}_set.csv", lines(record.row for record in ordered))


LIP = Layout(SPLITS, _draw, _close, nested={f"{MASKS}.zip": f"{MASKS}/{MASKS}.zip"})
