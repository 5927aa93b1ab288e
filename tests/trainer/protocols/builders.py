"""Images of two or three box people with parts, person ids and joints, and the people's crops, as shards."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.geometry.crop import Window
from pipeline.images import encode_png
from pipeline.records import ImageRecord, People, Sample
from pipeline.rows import IMAGE_SCHEMA, SAMPLE_SCHEMA, image_row, sample_row
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.write import parquet_bytes
from pipeline.taxonomy import keypoint_set

HW = (64, 96)


def make_people(index: int, classes: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) part ids and person ids: columns of four parts, the head (part 1) on top; ids from 1."""
    random = np.random.default_rng([11, index])
    parts, people = np.zeros((2, *HW), np.uint8)
    for person in range(count):
        left = 2 + person * 30 + int(random.integers(0, 6))
        top, height, width = int(random.integers(0, 8)), int(random.integers(30, 50)), int(random.integers(12, 22))
        people[top : top + height, left : left + width] = person + 1
        rows = np.arange(height) * 4 // height
        labels = np.array([1, *random.integers(2, classes, 3)], np.uint8)
        parts[top : top + height, left : left + width] = labels[rows][:, None]
    return parts, people


def make_joints(people: np.ndarray, count: int, names: Sequence[str], index: int) -> np.ndarray:
    """(N, K, 3): the first joints of the set lie on the head, the others anywhere on the person; one is not annotated."""
    random = np.random.default_rng([12, index])
    joints = np.zeros((count, len(names), 3), np.float32)
    for person in range(count):
        rows, columns = np.nonzero(people == person + 1)
        picked = random.integers(0, len(rows), len(names))
        joints[person] = np.column_stack([columns[picked], rows[picked], np.full(len(names), 2)])
        joints[person, 0, :2] = columns.mean().round(), rows.min() + 1
        joints[person, int(random.integers(1, len(names)))] = 0
    return joints


def make_record(index: int, classes: int = 7, joints: str | None = "pascal14", people: int = 2) -> ImageRecord:
    """Image number `index` with its people; of those at multiples of 4 there are none."""
    count = 0 if index % 4 == 3 else people
    parts, ids = make_people(index, classes, count)
    known = People.from_id_map(ids)
    keypoints = None if joints is None else make_joints(ids, count, keypoint_set(joints).keypoint_names, index)
    known = People.build(known.ids, known.boxes, rles=known.rles, keypoints=keypoints)
    random = np.random.default_rng([13, index])
    image = encode_png(random.integers(0, 256, (*HW, 3), dtype=np.uint8))
    name = f"{index:012d}"
    return ImageRecord(
        name, "people", "val", image, f"val/{name}.jpg", HW[1], HW[0], encode_png(parts), encode_png(ids), known
    )


def cut(record: ImageRecord, score: float = 1.0) -> list[Sample]:
    """The people's crops, others painted over, a margin around them."""
    parts, ids = record.decode_mask(), record.decode_people()
    samples = []
    for row, person in enumerate(record.people.ids):
        x, y, w, h = record.people.boxes[row].astype(int)
        window = Window(max(0, x - 3), max(0, y - 2), min(HW[1], x + w + 3), min(HW[0], y + h + 2))
        own = window.cut(ids) == person
        image = np.where(own[..., None], window.cut(record.decode_image()), 0).astype(np.uint8)
        keypoints = None
        if record.people.keypoints is not None:
            keypoints = record.people.keypoints[row] - np.array([window.x0, window.y0, 0], np.float32)
            keypoints[keypoints[:, 2] == 0] = 0
        samples.append(
            Sample(
                f"{record.sample_id}_{person}",
                record.sample_id,
                record.dataset,
                record.split,
                encode_png(image),
                record.path,
                image.shape[1],
                image.shape[0],
                encode_png(np.where(own, window.cut(parts), 0)),
                encode_png(np.where(own, person, 0).astype(np.uint8)),
                record.people.boxes[row],
                score,
                window.to_source,
                int(person),
                keypoints=keypoints,
            )
        )
    return samples


def write(folder: Path, kind: str, rows: list[dict[str, Any]], schema: Any, label_set: str, joints: str | None) -> None:
    """A split's shards, three rows each, and their manifest."""
    folder.mkdir(parents=True)
    entries = []
    for start in range(0, len(rows), 3):
        data = parquet_bytes(rows[start : start + 3], schema, row_group=2)
        name = f"part-{len(entries):05d}.parquet"
        (folder / name).write_bytes(data)
        entries.append(ShardEntry(name, len(rows[start : start + 3]), len(data), hashlib.sha256(data).hexdigest()))
    Manifest(
        kind=kind, dataset="people", split="val", label_set=label_set, keypoint_set=joints,
        parameters={"row_group": 2}, steps={}, shards=tuple(entries), links={},
    ).write(folder)  # fmt: skip


def write_set(
    root: Path,
    records: Sequence[ImageRecord],
    samples: Sequence[Sample] | None = None,
    label_set: str = "pascal",
    joints: str | None = "pascal14",
) -> Path:
    """<root>/ingest/people/val and <root>/shards/people/val; the crops are all people's unless given."""
    if samples is None:
        samples = [sample for record in records for sample in cut(record)]
    write(
        root / "ingest/people/val", "images", [image_row(record) for record in records], IMAGE_SCHEMA, label_set, joints
    )
    write(
        root / "shards/people/val",
        "samples",
        [sample_row(sample) for sample in samples],
        SAMPLE_SCHEMA,
        label_set,
        joints,
    )
    return root
