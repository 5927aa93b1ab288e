"""All that a report is made from, in small: a set with every label, one with the teacher's joints, metrics, predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.geometry.affine import letterbox, transform_points
from pipeline.images import encode_png
from pipeline.labels import edge_map, gaussian_heatmaps
from pipeline.params import Dataset
from pipeline.records import Sample
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, sha256_of
from pipeline.shards.write import npz_bytes, parquet_bytes
from pipeline.taxonomy import LABEL_SETS
from tests.trainer.builders import make_params, make_sample, write_shards
from trainer.evaluate import PREDICTION_SCHEMA
from trainer.plots import confusion_points
from trainer.report import ReportInputs
from trainer.report.run import split_hash

HOSTILE = "<script>alert('\"&')</script>"
RULES = {"size": [12, 8], "stride": 4, "sigma": 1.5, "convention": "corrpm"}
PER_SHARD = 5
FOUND = 6
"""People of the set `crowd`, of which the teachers were unsure; no edges, no heatmaps, others' pixels ignored."""


def write_inputs(root: Path) -> ReportInputs:
    """Everything below `root`, as the stages lay it out."""
    counts = {"train": 30, "val": 14}
    for split, count in counts.items():
        write_split(root, split, count)
    write_shards(
        root / "data" / "shards" / "crowd" / "train", [_found(index) for index in range(FOUND)], "cihp", "coco17"
    )
    _write_metrics(root, counts)
    _write_plots(root)
    _write_predictions(root, counts["val"])
    params = make_params().model_copy(
        update={
            "datasets": {
                "toy": Dataset(layout="lip", label_set="lip", keypoint_set="lip16"),
                "crowd": Dataset(layout="cihp", label_set="cihp", splits=("train",)),
            }
        }
    )
    return ReportInputs(
        params=params,
        shards=root / "data" / "shards",
        metrics=root / "metrics",
        train_plots=root / "plots" / "train",
        evaluate_plots=root / "plots" / "evaluate",
        predictions=root / "data" / "predictions",
    )


def write_split(root: Path, split: str, count: int) -> None:
    """A split's shards and heatmaps; the first id is one that a page must escape."""
    samples = [_labelled(make_sample(index, split, hw=(48 + index, 32))) for index in range(count)]
    samples[0] = replace(samples[0], sample_id=HOSTILE)
    folder = write_shards(root / "data" / "shards" / "toy" / split, samples, per_shard=PER_SHARD)
    heatmaps = root / "data" / "heatmaps" / "toy" / split
    heatmaps.mkdir(parents=True)
    entries = []
    for start in range(0, count, PER_SHARD):
        part = {sample.sample_id: _heatmaps(sample) for sample in samples[start : start + PER_SHARD]}
        name = f"heatmaps-{len(entries):05d}.npz"
        (heatmaps / name).write_bytes(npz_bytes(part.items(), compress=False))
        entries.append(ShardEntry(name, len(part), 0, ""))
    manifest = Manifest.read(folder)
    replace(manifest, kind="heatmaps", parameters=RULES, shards=tuple(entries)).write(heatmaps)
    link = {"path": f"../../../heatmaps/toy/{split}", "sha256": sha256_of(heatmaps / MANIFEST_NAME)}
    replace(manifest, links={"heatmaps": link}).write(folder)


def _labelled(sample: Sample) -> Sample:
    mask = sample.decode_mask()
    return replace(
        sample,
        edge=encode_png(edge_map(mask)),
        keypoint_origin=("annotated",) * 16,
        to_heatmap_input=letterbox((sample.height, sample.width), (48, 32)),
    )


def _found(index: int) -> Sample:
    sample = make_sample(index, "train", hw=(40, 44))
    mask = sample.decode_mask()
    mask[:, :9] = 255
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:6] = (20, 10, 2)
    confidence = np.zeros(17, np.float32)
    confidence[:6] = 0.25
    return replace(
        sample,
        sample_id=f"found.{index}",
        source_id=f"scene.{index // 2}",
        dataset="crowd",
        mask=encode_png(mask),
        keypoints=keypoints,
        keypoint_origin=("teacher",) * 6 + ("",) * 11,
        keypoint_confidence=confidence,
        score=0.75,
    )


def _heatmaps(sample: Sample) -> np.ndarray:
    points = sample.keypoints.copy()
    points[:, :2] = transform_points(sample.to_heatmap_input, points[:, :2])
    return gaussian_heatmaps(points, (12, 8), sigma=1.5).astype(np.float16)


def _write_metrics(root: Path, counts: dict[str, int]) -> None:
    folder = root / "metrics"
    names = LABEL_SETS["lip"].part_names
    by_stage = {
        "ingest": {"images": 30, "people": 30, "crowds": 0, "bytes": 12345, "rejects": 0},
        "crop": {"images": 30, "people": 30, "people_per_image": 1.0, "outcomes": 0, "rejects": 0},
        "pose": {"people": 30, "annotated_joints": 150, "pseudo_joints": 0, "joints_per_person": 5.0, "mean_confidence": None},
        "edges": {"masks": 30, "edge_pixels_per_mask": 321.0, "edge_share": 0.125},
        "heatmaps": {"samples": 30, "drawn_joints_per_sample": 5.0},
        "shard": {"samples": 30, "bytes": 23456, "ignored_share": 0.0, "class_share": dict.fromkeys(names, 0.05)},
    }  # fmt: skip
    for stage, figures in by_stage.items():
        more = {"findings": {"small_masks": 3, "unreadable": 0}} if stage == "ingest" else {}
        _write_json(folder / stage / "toy.json", {**dict.fromkeys(counts, figures), **more})
        _write_json(
            folder / stage / "crowd.json", {"train": figures, **({"findings": {"unreadable": 0}} if more else {})}
        )
    _write_json(folder / "fit_detector.json", {"weights": "/home/me/rcnn.safetensors", "val": {"mask_ap": 0.5}})
    _write_json(folder / "fit_pose.json", {"weights": "sample", "val": {"oks_ap": 0.4, "people": 12.0}})
    _write_json(folder / "evaluate.json", _judged(root, counts["val"]))


def _judged(root: Path, count: int) -> dict[str, object]:
    manifest = Manifest.read(root / "data" / "shards" / "toy" / "val")
    protocol = {
        "name": "lip", "datasets": ["toy"], "split": "val", "split_sha256": split_hash(manifest), "images": count,
        "label_set": "lip", "resolution": "the crop's own", "flip": False, "scales": [1.0], "averaging": "over classes",
    }  # fmt: skip
    return {
        "protocol": protocol,
        "scores": {"pixel_accuracy": 71.5, "mean_accuracy": 31.25, "mean_iou": 21.75, "pckh_mean": 40.5},
        "iou": {name: None if place == 3 else 5.0 * place for place, name in enumerate(LABEL_SETS["lip"].part_names)},
        "pckh": {"right-ankle": 12.5, "pelvis": None},
        "constant": {"class": "background", "mean_iou": 3.25},
    }


def _write_plots(root: Path) -> None:
    curves = root / "plots" / "train" / "plots" / "metrics"
    curves.mkdir(parents=True)
    (curves / "loss.tsv").write_text("step\tloss\n1\t2.0\n2\tnan\n3\t0.5\n")
    (curves / "val_mean_iou.tsv").write_text("step\tval_mean_iou\n3\t21.75\n")
    names = LABEL_SETS["lip"].part_names
    confusion = np.eye(len(names), dtype=np.int64) * 60
    confusion[1, 2] = 140
    points = confusion_points(confusion, names)
    _write_json(root / "plots" / "evaluate" / "plots" / "custom" / "confusion.json", points)


def _write_predictions(root: Path, count: int) -> None:
    """Sample i has a mean IoU of 90 - i, but one that has no judged pixel; every answer is hair in the upper half."""
    folder = root / "data" / "predictions"
    folder.mkdir(parents=True)
    rows = [
        {
            "sample_id": HOSTILE if index == 0 else f"val.{index}_a.b",
            "mask": encode_png(np.repeat(np.arange(48 + index) < 24, 32).reshape(-1, 32).astype(np.uint8) * 2),
            "pixel_accuracy": 50.0,
            "mean_iou": float("nan") if index == 5 else 90.0 - index,
        }
        for index in range(count)
    ]
    for number, start in enumerate(range(0, count, PER_SHARD)):
        data = parquet_bytes(rows[start : start + PER_SHARD], PREDICTION_SCHEMA, row_group=2)
        (folder / f"part-{number:05d}.parquet").write_bytes(data)


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def inputs(tmp_path: Path) -> ReportInputs:
    return write_inputs(tmp_path / "project")
