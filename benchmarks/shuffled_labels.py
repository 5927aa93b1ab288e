"""Does the parser learn from its labels? Trains it once more with labels shuffled between images, and compares.

    python benchmarks/shuffled_labels.py          after `make repro`; takes as long as the train stage

The parser of the train stage is judged, and one trained with the same parameters, for which every training image keeps its
pixels and gets the part mask and the joints of another one, resized to its size; validation is untouched. Beside them stands the best constant answer, every
pixel the same class. Writes benchmarks/results/shuffled_labels.json and prints the table.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from pipeline.images import encode_png
from pipeline.params import load_params
from pipeline.records import Sample
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.manifest import Manifest, ShardEntry, sha256_of
from pipeline.shards.read import open_shards
from pipeline.shards.write import parquet_bytes, write_whole
from trainer.engine.training import train
from trainer.evaluate import evaluate

RESULT = Path("benchmarks/results/shuffled_labels.json")


def with_labels_of(sample: Sample, other: Sample) -> Sample:
    """The sample with another one's mask and joints, stretched to its own size."""
    size = (sample.width, sample.height)
    mask = other.decode_mask()
    keypoints = None if other.keypoints is None else other.keypoints.copy()
    if keypoints is not None:
        keypoints[:, :2] *= np.array(size, np.float32) / (other.width, other.height)
    stretched = None if mask is None else encode_png(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST))
    return replace(sample, mask=stretched, people_map=None, edge=None, keypoints=keypoints)


def write_shuffled(source: Path, target: Path, seed: int) -> None:
    """A copy of a split in which sample i has the labels of sample permutation[i], never its own."""
    shards = open_shards(source)
    samples = list(shards)
    order = np.random.default_rng(seed).permutation(len(samples))
    permutation = np.empty_like(order)
    permutation[order] = np.roll(order, 1)  # one cycle: nobody keeps their own
    rows = [sample_row(with_labels_of(sample, samples[permutation[i]])) for i, sample in enumerate(samples)]
    target.mkdir(parents=True)
    name = "part-00000.parquet"
    write_whole(target / name, parquet_bytes(rows, SAMPLE_SCHEMA, 20))
    entry = ShardEntry(name, len(rows), (target / name).stat().st_size, sha256_of(target / name))
    manifest = Manifest.read(source)
    replace(manifest, shards=(entry,), links={}).write(target)


def main() -> None:
    """Train, judge, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    arguments = parser.parse_args()
    params = load_params(arguments.params)
    shards = Path("data/shards")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        shuffled = work / "shuffled"
        for name in params.train.datasets:
            write_shuffled(shards / name / "train", shuffled / name / "train", params.seed)
            shutil.copytree(shards / name / "val", shuffled / name / "val")
        results = {}
        print("training on shuffled labels ...", flush=True)
        train(params, shuffled, work / "shuffled.pt", work / "scratch")
        for label, model in (("true", Path("models/parser.pt")), ("shuffled", work / "shuffled.pt")):
            results[label] = evaluate(params, model, shards, Path("data/ingest"), work / f"predictions-{label}")
    true, wrong = (results[label]["scores"]["mean_iou"] for label in ("true", "shuffled"))
    constant = results["true"]["constant"]["mean_iou"]
    figures = {
        "true_labels_miou": round(true, 3),
        "shuffled_labels_miou": round(wrong, 3),
        "best_constant_miou": round(constant, 3),
        "true_over_constant": round(true / constant, 3),
        "fall_with_shuffled_labels": round(1 - wrong / true, 3),
        "protocol": results["true"]["protocol"],
        "machine": {"cpu": platform.processor() or platform.machine(), "torch": torch.__version__},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    print(f"mIoU with true labels       {true:6.2f}")
    print(f"mIoU with shuffled labels   {wrong:6.2f}   a fall of {100 * (1 - wrong / true):.0f} %")
    print(f"mIoU of the best constant   {constant:6.2f}   true labels reach {true / constant:.1f} times that")


if __name__ == "__main__":
    main()
