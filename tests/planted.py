"""A drawn LIP set with one defect of each kind planted into it; every call makes its own."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from pipeline.datasets.sample.archives import write_archives
from pipeline.images import decode_image, decode_map, encode_jpeg, encode_png
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests import builders

LIP, NAMES = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"].keypoint_names
_IMAGES, _MASKS, _POSES = (f"TrainVal_{kind}" for kind in ("images", "parsing_annotations", "pose_annotations"))


@dataclass
class Split:
    """One split in memory: images and masks by id in the order of the list, joints (16, 3) x, y, v of the csv."""

    images: dict[str, bytes] = field(default_factory=dict)
    masks: dict[str, bytes] = field(default_factory=dict)
    joints: dict[str, np.ndarray] = field(default_factory=dict)

    def mask(self, name: str) -> np.ndarray:
        return decode_map(self.masks[name], name)

    def put_mask(self, name: str, mask: np.ndarray) -> None:
        self.masks[name] = encode_png(mask.astype(np.uint8))


def drawn(folder: Path, images: Mapping[str, int], seed: int) -> dict[str, Split]:
    """A clean drawn LIP set, split by split."""
    write_archives("lip", folder, images, seed)
    pictures, poses = zipfile.ZipFile(folder / f"{_IMAGES}.zip"), zipfile.ZipFile(folder / f"{_POSES}.zip")
    outer = zipfile.ZipFile(folder / f"{_MASKS}.zip")
    inner = zipfile.ZipFile(io.BytesIO(outer.read(f"{_MASKS}/{_MASKS}.zip")))
    splits = {}
    for name in images:
        rows = csv.reader(io.StringIO(poses.read(f"{_POSES}/lip_{name}_set.csv").decode()))
        joints = {row[0][:-4]: np.array(row[1:], float).reshape(16, 3) for row in rows}
        ids = pictures.read(f"{_IMAGES}/{name}_id.txt").decode().split()
        splits[name] = Split(
            {one: pictures.read(f"{_IMAGES}/{name}_images/{one}.jpg") for one in ids},
            {one: inner.read(f"{_MASKS}/{name}_segmentations/{one}.png") for one in ids},
            joints,
        )
    return splits


def write(folder: Path, splits: Mapping[str, Split]) -> Path:
    """The splits as LIP's archives."""
    pictures, masks, poses = [], [], []
    for name, split in splits.items():
        pictures += [(f"{_IMAGES}/{name}_images/{one}.jpg", data) for one, data in split.images.items()]
        pictures.append((f"{_IMAGES}/{name}_id.txt", "".join(f"{one}\n" for one in split.images).encode()))
        masks += [(f"{_MASKS}/{name}_segmentations/{one}.png", data) for one, data in split.masks.items()]
        rows = [[f"{one}.jpg", *(f"{value:g}" for value in joints.ravel())] for one, joints in split.joints.items()]
        poses.append((f"{_POSES}/lip_{name}_set.csv", builders.csv_bytes(rows)))
    builders.write_zip(folder / f"{_IMAGES}.zip", pictures)
    builders.write_zip(folder / f"{_MASKS}.zip", [(f"{_MASKS}/{_MASKS}.zip", builders.zip_bytes(masks))])
    builders.write_zip(folder / f"{_POSES}.zip", poses)
    return folder


def plant(splits: dict[str, Split]) -> set[tuple[str, str]]:
    """Plant one defect of each kind that LIP can hold; (check, sample id) of all that is now wrong.

    Takes 14 images of train, the first of which stays as it is: val's first comes from the same source image.
    """
    train, val = splits["train"], splits["val"]
    ids = list(train.images)
    frontal = [one for one in ids[1:] if _wide_apart(train, one)][:2]
    free = iter([one for one in ids[1:] if one not in frontal])
    wrong: set[tuple[str, str]] = set()

    def victim(check: str) -> str:
        name = next(free)
        wrong.add((check, name))
        return name

    name = victim("unreadable")
    train.images[name] = train.images[name][:-700]
    name = victim("unreadable")
    train.masks[name] = b""
    name = victim("sizes_differ")
    train.put_mask(name, train.mask(name)[:-1])
    name = victim("unknown_ids")
    train.put_mask(name, np.where(train.mask(name) == LIP.id("face"), 20, train.mask(name)))
    name = victim("smoothed_masks")
    mask = train.mask(name)
    half = cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_NEAREST)
    train.put_mask(name, cv2.resize(half, mask.shape[::-1], interpolation=cv2.INTER_LINEAR))
    name = victim("keypoints_outside_image")
    train.joints[name][NAMES.index("neck")] = (train.mask(name).shape[1] + 20, 5, 0)
    name = victim("keypoints_outside_person")
    image = decode_image(train.images[name], name)
    aside = image.shape[0] // 2
    train.images[name] = encode_jpeg(cv2.copyMakeBorder(image, 0, 0, 0, aside, cv2.BORDER_REFLECT))
    train.put_mask(name, cv2.copyMakeBorder(train.mask(name), 0, 0, 0, aside, cv2.BORDER_CONSTANT, value=0))
    train.joints[name][NAMES.index("neck")] = (image.shape[1] + aside - 1, 5, 0)
    name = victim("empty_people")
    train.put_mask(name, np.zeros_like(train.mask(name)))
    train.joints[name][:] = np.nan
    name = victim("small_masks")
    mask = np.zeros_like(train.mask(name))
    mask[10:12, 10:14] = LIP.id("hat")
    train.put_mask(name, mask)
    train.joints[name][:] = np.nan
    # Sides: once the joints are exchanged, once the classes.
    train.joints[frontal[0]] = train.joints[frontal[0]][KEYPOINT_SETS["lip16"].hflip_index]
    train.put_mask(frontal[1], LIP.hflip_lut[train.mask(frontal[1])])
    wrong |= {("left_right_contradictions", one) for one in frontal}
    # Across splits: the same file, and another encoding of an image, under names of their own.
    for number, check in enumerate(("duplicates", "near_duplicates")):
        source, copy = next(free), f"99000{number}_7"
        image = train.images[source]
        val.images[copy] = image if check == "duplicates" else encode_jpeg(decode_image(image, source), 60)
        val.masks[copy], val.joints[copy] = train.masks[source], train.joints[source].copy()
        wrong.add((check, copy))
    wrong.add(("shared_sources", next(iter(val.images))))
    return wrong


def _wide_apart(split: Split, name: str) -> bool:
    """Both wrists visible on bare arms of their own sides, and the arms a fifth of the person's height apart."""
    mask, joints = split.mask(name), split.joints[name]
    places = []
    for side in ("left", "right"):
        x, y, hidden = joints[NAMES.index(f"{side}-wrist")]
        if hidden != 0 or mask[int(y), int(x)] != LIP.id(f"{side}-arm"):
            return False
        places.append((x, y))
    for side, (x, y) in zip(("right", "left"), places, strict=True):
        pixels = np.argwhere(mask == LIP.id(f"{side}-arm"))[:, ::-1]
        if np.sqrt(((pixels - (x, y)) ** 2).sum(axis=1).min()) < 0.1 * mask.shape[0]:
            return False
    return True
