"""Toy scenes: people are a head, a torso and two legs in strong colours on noise."""

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.images import encode_png
from pipeline.records import ImageRecord, People
from pipeline.rle import encode_rle
from pipeline.rows import IMAGE_SCHEMA, image_row
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.read import Shards, open_shards
from pipeline.shards.write import parquet_bytes

_JOINTS = {
    0: (0.5, 0.1),
    5: (0.75, 0.25),
    6: (0.25, 0.25),
    11: (0.65, 0.6),
    12: (0.35, 0.6),
    15: (0.7, 0.98),
    16: (0.3, 0.98),
}


def _scene(index: int) -> ImageRecord:
    random = np.random.default_rng((11, index))
    height, width = 60, 80
    image = random.integers(90, 130, (height, width, 3), dtype=np.uint8)
    boxes, rles, joints = [], [], []
    for place in range(1 + index % 2):
        w, h = int(random.integers(14, 20)), int(random.integers(36, 50))
        x, y = 4 + 38 * place + int(random.integers(0, 12)), int(random.integers(2, 60 - h))
        mask = np.zeros((height, width), bool)
        for (top, bottom), (left, right), colour in (
            ((0, 0.2), (0.3, 0.7), (240, 190, 150)),
            ((0.2, 0.6), (0.1, 0.9), (200, 30, 30)),
            ((0.6, 1), (0.15, 0.45), (20, 20, 160)),
            ((0.6, 1), (0.55, 0.85), (20, 20, 160)),
        ):
            rows, columns = slice(y + int(top * h), y + int(bottom * h)), slice(x + int(left * w), x + int(right * w))
            mask[rows, columns] = True
            image[rows, columns] = colour
        person = np.zeros((17, 3), np.float32)
        for joint, (across, down) in _JOINTS.items():
            person[joint] = (x + across * (w - 1), y + down * (h - 1), 2)
        ys, xs = np.nonzero(mask)
        boxes.append([xs.min(), ys.min(), xs.max() - xs.min() + 1, ys.max() - ys.min() + 1])
        rles.append(encode_rle(mask))
        joints.append(person)
    people = People.build(range(1, len(boxes) + 1), boxes, rles=rles, keypoints=joints)
    return ImageRecord(f"{index}", "toy", "train", encode_png(image), f"{index}.png", width, height, None, None, people)


@pytest.fixture(scope="session")
def scenes() -> list[ImageRecord]:
    return [_scene(index) for index in range(6)]


def write_scenes(
    folder: Path, records: list[ImageRecord], keypoints=None, keypoint_set: str | None = "coco17"
) -> Shards:
    """The records as shards of image records, four each in row groups of two, with other joints if some are given."""
    folder.mkdir(parents=True)
    entries = []
    if keypoints is not None:
        records = [
            dataclasses.replace(record, people=dataclasses.replace(record.people, keypoints=joints))
            for record, joints in zip(records, keypoints, strict=True)
        ]
    for start in range(0, len(records), 4):
        part = records[start : start + 4]
        data = parquet_bytes([image_row(record) for record in part], IMAGE_SCHEMA, row_group=2)
        name = f"part-{len(entries):05d}.parquet"
        (folder / name).write_bytes(data)
        entries.append(ShardEntry(name, len(part), len(data), hashlib.sha256(data).hexdigest()))
    Manifest(
        kind="images", dataset="toy", split="train", label_set="person", keypoint_set=keypoint_set,
        parameters={"row_group": 2}, steps={}, shards=tuple(entries), links={},
    ).write(folder)  # fmt: skip
    return open_shards(folder)
