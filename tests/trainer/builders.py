"""Tiny shards of drawn people-like samples, and parameters to train on them in seconds."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.images import encode_png
from pipeline.params import Params
from pipeline.records import Sample
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.write import parquet_bytes

COLOURS = np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8)
CLASSES = (0, 5, 13, 16, 17)


def make_sample(
    index: int, split: str = "train", hw: tuple[int, int] = (48, 32), keypoints: bool = True, masked: bool = True
) -> Sample:
    """A head, a torso and two legs as coloured boxes on noise, joints at their middles."""
    random = np.random.default_rng([7, index, len(split)])
    height, width = hw
    mask = np.zeros(hw, np.uint8)
    top, left = int(random.integers(0, height // 8)), int(random.integers(0, width // 4))
    for label, rows, columns in (
        (13, (0.0, 0.2), (0.3, 0.6)),
        (5, (0.2, 0.55), (0.15, 0.75)),
        (17, (0.55, 0.9), (0.15, 0.45)),
        (16, (0.55, 0.9), (0.45, 0.75)),
    ):
        bottom, right = top + int(rows[1] * height), left + int(columns[1] * width)
        mask[top + int(rows[0] * height) : bottom, left + int(columns[0] * width) : right] = label
    image = np.clip(COLOURS[mask].astype(int) + random.integers(-9, 10, (*hw, 3)), 0, 255).astype(np.uint8)
    joints = np.zeros((16, 3), np.float32)
    for joint, (x, y) in {8: (0.45, 0.2), 9: (0.45, 0.02), 12: (0.2, 0.25), 13: (0.7, 0.25), 0: (0.3, 0.88)}.items():
        joints[joint] = (left + x * width, top + y * height, 2)
    return Sample(
        sample_id=f"{split}.{index}_a.b",
        source_id=f"{split}.{index}",
        dataset="toy",
        split=split,
        image=encode_png(image),
        path=f"{index}.png",
        width=width,
        height=height,
        mask=encode_png(mask) if masked else None,
        people_map=None,
        box=np.array([0, 0, width, height], np.float32),
        score=1.0,
        to_source=np.array([[1.0, 0, 0], [0, 1, 0]]),
        person=1,
        keypoints=joints if keypoints else None,
    )


def write_shards(
    folder: Path, samples: list[Sample], label_set: str = "lip", keypoint_set: str | None = "lip16", per_shard: int = 5
) -> Path:
    """Shards and their manifest, as the shard stage writes them."""
    folder.mkdir(parents=True)
    entries = []
    for start in range(0, len(samples), per_shard):
        part = samples[start : start + per_shard]
        data = parquet_bytes([sample_row(sample) for sample in part], SAMPLE_SCHEMA, row_group=2)
        name = f"part-{len(entries):05d}.parquet"
        (folder / name).write_bytes(data)
        entries.append(ShardEntry(name, len(part), len(data), hashlib.sha256(data).hexdigest()))
    Manifest(
        kind="samples", dataset=samples[0].dataset, split=samples[0].split, label_set=label_set,
        keypoint_set=keypoint_set, parameters={"row_group": 2}, steps={}, shards=tuple(entries), links={},
    ).write(folder)  # fmt: skip
    return folder


def write_toy_set(root: Path, train: int = 10, val: int = 4) -> Path:
    """Shards root with <root>/toy/train and <root>/toy/val; crops of several sizes."""
    for split, count in (("train", train), ("val", val)):
        sizes = [(48, 32), (40, 40), (57, 31)]
        write_shards(root / "toy" / split, [make_sample(i, split, sizes[i % 3]) for i in range(count)])
    return root


def make_params(
    evaluate: dict[str, Any] | None = None, loader_workers: int = 0, convention: str = "corrpm", **train: Any
) -> Params:
    """Parameters that train a narrow CorrPM on the toy set, or another model by `model=`."""
    settings: dict[str, Any] = {
        "datasets": ["toy"],
        "label_set": "lip",
        "keypoint_set": "lip16",
        "backbone": "resnet18_slim",
        "channels": 16,
        "dilations": [1, 2, 3],
        "input_size": [48, 32],
        "epochs": 2,
        "batch_size": 4,
        "optimizer": "adamw",
        "lr": 0.01,
        "threads": 1,
    }
    fit = {"dataset": "x", "steps": 1, "batch_size": 1, "lr": 1.0, "warmup_steps": 0, "weight_decay": 0.0}
    return Params.model_validate(
        {
            "seed": 3,
            "datasets": {},
            "teacher_datasets": {},
            "executor": {"loader_workers": loader_workers},
            "detector": {"fit": fit},
            "pose": {"fit": fit},
            "heatmaps": {"size": [12, 8], "stride": 4, "sigma": 1.5, "convention": convention},
            "train": {**settings, **train},
            "evaluate": evaluate or {},
        }
    )
