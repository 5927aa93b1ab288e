"""Two splits of awkwardly named samples, as the shard stage leaves them, and their export."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.export import export
from pipeline.images import decode_map, encode_png
from pipeline.labels import edge_map
from pipeline.records import Sample
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards import Shards, open_shards
from pipeline.shards.write import parquet_bytes
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS, KeypointSet, LabelSet
from tests import builders

IDS = {"train": ["2_20.v1", "写真 1", "a b", "1_10"], "val": ["7_7", "b.jpg.c"]}


def part_mask(seed: int, hw: tuple[int, int] = (24, 20), classes: int = 20) -> np.ndarray:
    """(H, W) uint8 of blocks of parts, a row of background and a corner to ignore."""
    rng = np.random.default_rng([3, seed])
    mask = rng.integers(0, classes, (hw[0] // 4 + 1, hw[1] // 4 + 1), dtype=np.uint8)
    mask = mask.repeat(4, 0).repeat(4, 1)[: hw[0], : hw[1]].copy()
    mask[0], mask[-3:, -3:] = 0, 255
    return mask


def sample(sample_id: str, seed: int = 0, split: str = "train", **changes: Any) -> Sample:
    """A sample of LIP's kind: JPEG, mask, edge, 16 joints of which some are missing; no person ids."""
    height, width = 24 + seed, 20
    mask = changes.pop("pixels", part_mask(seed, (height, width)))
    joints = np.zeros((16, 3), np.float32)
    for joint in range(0, 16, 3):
        joints[joint] = (joint + 0.3, joint + 1.7 + seed, 1 + joint % 2)
    plain = Sample(
        sample_id=sample_id,
        source_id=sample_id,
        dataset="toy",
        split=split,
        image=builders.jpeg(height, width, seed),
        path=f"toy.zip!/{sample_id}.jpg",
        width=width,
        height=height,
        mask=encode_png(mask),
        people_map=None,
        edge=encode_png(edge_map(mask)),
        box=np.array([0, 0, width, height], np.float32),
        score=1.0,
        to_source=np.array([[1.0, 0, 0], [0, 1, 0]]),
        person=1,
        keypoints=joints,
        keypoint_origin=tuple("annotated" if v else "" for v in joints[:, 2]),
        keypoint_confidence=(joints[:, 2] > 0).astype(np.float32),
    )
    return replace(plain, **changes)


def samples(**changes: Any) -> dict[str, list[Sample]]:
    """Split -> samples, each of another size and content."""
    return {
        split: [sample(name, seed + 10 * (split == "val"), split, **changes) for seed, name in enumerate(names)]
        for split, names in IDS.items()
    }


def shards(
    folder: Path,
    content: dict[str, list[Sample]],
    parts: LabelSet = LABEL_SETS["lip"],
    keypoints: KeypointSet | None = KEYPOINT_SETS["lip16"],
) -> list[Shards]:
    """The splits' shards, two records each."""
    opened = []
    for split, found in content.items():
        groups = [found[start : start + 2] for start in range(0, len(found), 2)]
        data = [parquet_bytes([sample_row(one) for one in group], SAMPLE_SCHEMA, 2) for group in groups]
        place = builders.write_split(
            folder / split, data, [len(group) for group in groups], kind="samples", split=split, label_set=parts.name,
            part_names=parts.part_names, colours=parts.colours,
            keypoint_set=None if keypoints is None else keypoints.name,
            keypoint_names=() if keypoints is None else keypoints.keypoint_names,
            limbs=() if keypoints is None else keypoints.limbs,
        )  # fmt: skip
        opened.append(open_shards(place))
    return opened


def exported(folder: Path, form: str, content: dict[str, list[Sample]], **sets: Any) -> Path:
    """The folder of an export of these samples."""
    out = folder / f"{form}-out"
    export(shards(folder / "shards", content, **sets), form, out, lambda more: None)
    return out


def ids_by_stem(out: Path) -> dict[str, str]:
    """File stem -> sample id, by samples.csv."""
    with (out / "samples.csv").open(encoding="utf-8", newline="") as table:
        return {row["file"]: row["sample_id"] for row in csv.DictReader(table)}


def read_ids(path: Path) -> np.ndarray:
    """A mask as OpenCV's loaders read it: grey."""
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(pixels, decode_map(path.read_bytes(), str(path)))
    return pixels


def read_image(path: Path) -> np.ndarray:
    """An image as OpenCV's loaders read it, in RGB."""
    return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
