"""Make the sample teachers anew: draw COCO-format people, fit, judge on the held-out split, write the record.

`make teachers` runs this. An interrupted fit goes on from its checkpoint. Weights made on another type of machine, or
with another torch, differ a little from the committed ones; teachers.json says what those were made of.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torchvision

from pipeline.datasets.layout import read_item
from pipeline.datasets.registry import LAYOUTS
from pipeline.datasets.sample.archives import write_archives
from pipeline.detection.loading import load_detector
from pipeline.params import DetectorFit, PoseFit
from pipeline.pose import pckh_shared
from pipeline.pose.loading import load_estimator
from pipeline.records import ImageRecord
from pipeline.shards.manifest import sha256_of
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from trainer.teachers.detector import fit_detector
from trainer.teachers.judge import judge_found, judge_pose
from trainer.teachers.pose import fit_pose

HERE = Path(__file__).resolve().parent
WORK = HERE.parents[1] / "data" / "scratch" / "teachers"
RECORD = HERE / "teachers.json"
SEED = 1
IMAGES: Mapping[str, Mapping[str, int]] = {"coco": {"train": 2400, "val": 200}, "lip": {"val": 200}}
SCORE, MASK_NMS = 0.5, 0.5
OTHER_SCORES = (0.3, 0.4, 0.6, 0.7, 0.8)
DETECTOR = DetectorFit(
    dataset="coco",
    steps=3600,
    batch_size=4,
    lr=1e-3,
    warmup_steps=100,
    weight_decay=0.02,
    precision="bf16-mixed",
    threads=1,
)
POSE = PoseFit(
    dataset="coco",
    steps=2600,
    batch_size=32,
    lr=1.5e-3,
    warmup_steps=100,
    weight_decay=0.02,
    precision="bf16-mixed",
    threads=1,
)
POSE_AGAIN = POSE.model_copy(update={"steps": 2400, "lr": 1e-3})
"""The second round, which starts from the weights of the first."""

_log = logging.getLogger("refit")


def main() -> None:
    """Fit both teachers, or the one that `--only` names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("detector", "pose"), help="fit this teacher only")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    folders = {dataset: _drawn(dataset, arguments.workers) for dataset in IMAGES}
    for name, refit in (("detector", _refit_detector), ("pose", _refit_pose)):
        if arguments.only in (None, name):
            _record(name, refit(folders), folders)


def _drawn(dataset: str, workers: int) -> Path:
    """The folder of a drawn set, drawn now if it is not there."""
    folder = WORK / f"{dataset}-{SEED}-{'-'.join(map(str, IMAGES[dataset].values()))}"
    if not folder.is_dir():
        aside = folder.with_name(f".{folder.name}")
        shutil.rmtree(aside, ignore_errors=True)
        write_archives(dataset, aside, IMAGES[dataset], SEED, workers)
        aside.replace(folder)
        _log.info("%s: drawn", folder)
    return folder


def _read(folder: Path, dataset: str, split: str) -> list[ImageRecord]:
    archives = Archives(folder)
    label_set = LABEL_SETS["person" if dataset == "coco" else dataset]
    items = LAYOUTS[dataset].items(archives, split)
    return [read_item(archives, item, dataset, split, label_set) for item in items]


def _refit_detector(folders: Mapping[str, Path]) -> dict[str, Any]:
    """Fit the detector; its parameters and how it does on the held-out split."""
    path = HERE / "detector.safetensors"
    records = _read(folders["coco"], "coco", "train")
    fit_detector(records, DETECTOR, SEED, path, WORK, _reporter("detector"))
    held_out = _read(folders["coco"], "coco", "val")
    detector = load_detector(path)
    raw = [detector.detect(record.decode_image()) for record in held_out]
    judged = {score: judge_found(held_out, raw, score, MASK_NMS) for score in (SCORE, *OTHER_SCORES)}
    for score, figures in judged.items():
        _log.info("score %.1f: %s", score, figures)
    return {
        "fit": DETECTOR.model_dump(),
        "score": SCORE,
        "mask_nms": MASK_NMS,
        "held_out": judged[SCORE],
        "held_out_at_score": {
            str(score): {key: judged[score][key] for key in ("recall", "false_share")} for score in sorted(OTHER_SCORES)
        },
    }


def _refit_pose(folders: Mapping[str, Path]) -> dict[str, Any]:
    """Fit the pose network; its parameters and how it does on held-out COCO boxes and LIP crops."""
    path = HERE / "pose.safetensors"
    records = _read(folders["coco"], "coco", "train")
    first = WORK / "pose-first.safetensors"
    if not first.exists():
        fit_pose(records, POSE, SEED, first, WORK, _reporter("pose"))
    fit_pose(records, POSE_AGAIN, SEED + 1, path, WORK, _reporter("pose, second round"), start=first)
    first.unlink()
    estimator = load_estimator(path)
    figures = judge_pose(_read(folders["coco"], "coco", "val"), estimator)
    crops = _read(folders["lip"], "lip", "val")
    boxes = [np.array([[0, 0, record.width, record.height]], np.float32) for record in crops]
    found = estimator.estimate_many([record.decode_image() for record in crops], boxes)
    annotated = [record.people.keypoints[:1] for record in crops if record.people.keypoints is not None]
    pckh = pckh_shared(np.concatenate(found), np.concatenate(annotated))
    _log.info("%s, on LIP crops %s", figures, pckh)
    rounds = [POSE.model_dump(), POSE_AGAIN.model_dump()]
    return {"fit": rounds, "held_out": figures, "held_out_lip": pckh}


def _reporter(name: str) -> Callable[[int, int, Mapping[str, float]], None]:
    """Logs the mean losses of every 50 steps."""
    parts: list[Mapping[str, float]] = []
    start = time.monotonic()

    def _report(done: int, total: int, losses: Mapping[str, float]) -> None:
        parts.append(losses)
        if done % 50 == 0 or done == total:
            means = {key: round(float(np.mean([part[key] for part in parts])), 4) for key in losses}
            _log.info("%s: step %d of %d, %.0f s, %s", name, done, total, time.monotonic() - start, means)
            parts.clear()

    return _report


def _record(name: str, entry: dict[str, Any], folders: Mapping[str, Path]) -> None:
    """Put a teacher's entry into teachers.json."""
    path = HERE / f"{name}.safetensors"
    content = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    content[name] = {
        "sha256": sha256_of(path),
        "bytes": path.stat().st_size,
        "command": f"python presets/teachers/refit.py --only {name}",
        "seed": SEED,
        "data": {"dataset": "coco", "source": "sample", "images": IMAGES["coco"], "sha256": _hashes(folders["coco"])},
        "made_with": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        **entry,
    }
    RECORD.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _hashes(folder: Path) -> dict[str, str]:
    files: Sequence[Path] = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: sha256_of(path) for path in files}


if __name__ == "__main__":
    main()
