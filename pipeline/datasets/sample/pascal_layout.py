"""The sample set in PASCAL-Person-Part's layout: palette masks of body parts, and 14 joints per person as .mat."""

from __future__ import annotations

import io
from typing import Iterable, Mapping

import numpy as np
import scipy.io
from PIL import Image

from pipeline.datasets.sample.layout import Drawn, Layout, Member, jpeg, lines, mask_box, running_number
from pipeline.datasets.sample.part_names import PART_NAMES
from pipeline.datasets.sample.scene import SampleScene, draw_scene
from pipeline.taxonomy import keypoint_set, voc_palette

SPLITS = ("train", "val")
PARTS, IMAGES, JOINTS = "pascal_person_part.zip", "VOCtrainval_11-May-2012.zip", "PersonJoints.zip"
ROOT = "pascal_person_part"
_PARTS = frozenset(PART_NAMES) - {"bag"}
_MAT_HEADER = b"MATLAB 5.0 MAT-file".ljust(116)
_WITHOUT_JOINTS = 0.05


def palette_png(ids: np.ndarray) -> bytes:
    """PNG bytes of (H, W) uint8 ids as palette indices with the VOC colour table."""
    image = Image.fromarray(ids)
    image.putpalette(voc_palette().ravel().tolist())
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def joints_mat(scene: SampleScene) -> bytes:
    """.mat bytes: boxes, a 1 x N cell of 1 x 4 (x1, y1, x2, y2; the last pixel included), and joints, a 1 x N cell of
    14 x 3 (x, y, flag; flag 0 not annotated, then x = y = 0, 1 hidden, 2 visible); image coordinates from 0."""
    count = len(scene.joints)
    boxes, joints = np.empty((1, count), dtype=object), np.empty((1, count), dtype=object)
    names = keypoint_set("pascal14").keypoint_names
    for index, named in enumerate(scene.joints):
        x, y, width, height = mask_box(scene.people == index + 1)
        boxes[0, index] = np.array([[x, y, x + width - 1, y + height - 1]], dtype=np.float64)
        joints[0, index] = np.array([named[name] for name in names], dtype=np.float64)
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"boxes": boxes, "joints": joints})
    return _MAT_HEADER + stream.getvalue()[len(_MAT_HEADER) :]


def _draw(rng: np.random.Generator, split: str, index: int) -> Drawn:
    stem = f"{2008 + index % 3}_{running_number(SPLITS, split, index):06d}"
    size_hw = (192, 256) if rng.random() < 0.6 else (256, 192)
    people = int(rng.choice([1, 2, 3, 4], p=[0.5, 0.25, 0.15, 0.1]))
    scene = draw_scene(rng, size_hw, people, allowed=_PARTS, heights=(0.5, 1.4))
    members = [
        Member(IMAGES, f"VOCdevkit/VOC2012/JPEGImages/{stem}.jpg", jpeg(rng, scene.image)),
        Member(PARTS, f"{ROOT}/pascal_person_part_gt/{stem}.png", palette_png(scene.body)),
    ]
    if rng.random() >= _WITHOUT_JOINTS and scene.joints:
        members.append(Member(JOINTS, f"PersonJoints/{stem}.mat", joints_mat(scene)))
    return Drawn(tuple(members), stem)


def _lists(name: str, stems: list[str]) -> Iterable[Member]:
    """The list of path pairs, and (but for trainval) the list of bare ids."""
    folder = f"{ROOT}/pascal_person_part_trainval_list"
    pairs = (f"/JPEGImages/{stem}.jpg /pascal_person_part_gt/{stem}.png" for stem in stems)
    yield Member(PARTS, f"{folder}/{name}.txt", lines(pairs))
    if name in SPLITS:
        yield Member(PARTS, f"{folder}/{name}_id.txt", lines(stems))


def _close(records: Mapping[str, list[str]]) -> Iterable[Member]:
    for split, stems in records.items():
        yield from _lists(split, sorted(stems))
    yield from _lists("trainval", sorted(stem for stems in records.values() for stem in stems))


PASCAL = Layout(SPLITS, _draw, _close)
