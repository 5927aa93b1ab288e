"""How fast are training samples made, how near is that to the least it can cost, and what would the plain way cost?

    python benchmarks/loader.py [--samples 2000] [--rounds 3]

Draws people, brings them to the sizes and the bits per pixel of LIP's crops and writes them as shards. Three ways to
augmented samples at 384 x 384 are timed in turn, batch by batch, in one thread of one process, by its processor time:

    floor     the JPEG and the PNG decoded from memory and one warp each: no label, no draw, no reading
    project   trainer.data, as its workers do it: reading of the shards included, nothing kept from round to round
    plain     benchmarks/per_sample_labels.py: labels by numpy per sample, from memory

Then batches of both ways come from two worker processes, epochs in turn, by the clock. What the project's way leaves to the
device (normalising, edges, heatmaps) is not in its times; it is told beside them, made on one core in batches. Writes
benchmarks/results/loader.json and prints the table; fails where the project's way is below 0.8 of the floor, or from two
workers below 3 times the plain way. A few minutes on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from per_sample_labels import PlainData
from torch.utils.data import DataLoader, default_collate

from pipeline.datasets.sample.part_names import drawable_parts, parts_lut
from pipeline.datasets.sample.scene import draw_portrait
from pipeline.images import encode_png
from pipeline.params import Augment, Heatmaps
from pipeline.records import Sample
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.write import parquet_bytes, write_whole
from pipeline.taxonomy import IGNORE, keypoint_set, label_set
from trainer.data.augment import draw, draw_placement
from trainer.data.epoch_batches import EpochBatches
from trainer.data.samples import ParsingSamples
from trainer.data.targets import make_targets
from trainer.data.training_data import TrainingData, training_loader
from trainer.data.worker_memory import one_thread
from trainer.input_spec import input_spec

RESULT = Path(__file__).resolve().parent / "results" / "loader.json"
LIP, LIP16 = label_set("lip"), keypoint_set("lip16")
SPEC = input_spec("official", (384, 384))
AUGMENT = Augment(scale_law="window")  # CorrPM's code
HEATMAPS = Heatmaps(size=(96, 96), stride=4, sigma=7.0)
SEED, BATCH, WORKERS = 1, 8, 2
SCENES, PER_SHARD, ROW_GROUP = 40, 200, 50
LEAST_SHARE, LEAST_RATIO = 0.8, 3.0


def draw_sample(number: int, scene: Any) -> Sample:
    """A drawn person at one of LIP's sizes: medians 174 x 312, JPEG of quality 90 with a camera's noise."""
    random = np.random.default_rng([SEED, number])
    height = int(np.clip(random.lognormal(np.log(312), 0.35), 152, 500))
    width = int(np.clip(random.lognormal(np.log(174), 0.45), 82, 497))
    image = cv2.resize(scene.image, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    image += 6 * random.standard_normal((height, width, 1), dtype=np.float32)
    jpeg = cv2.imencode(".jpg", np.clip(image, 0, 255).astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    mask = cv2.resize(parts_lut(LIP)[scene.parts], (width, height), interpolation=cv2.INTER_NEAREST)
    joints = scene.joints[0] if scene.joints else {}
    keypoints = np.array([joints.get(name, (0, 0, 0)) for name in LIP16.keypoint_names], np.float32)
    keypoints[:, :2] *= (width / scene.parts.shape[1], height / scene.parts.shape[0])
    return Sample(
        sample_id=f"{number}_1", source_id=str(number), dataset="drawn", split="train", image=jpeg.tobytes(),
        path=f"{number}.jpg", width=width, height=height, mask=encode_png(mask), people_map=None,
        box=np.array([0, 0, width, height], np.float32), score=1.0, to_source=np.eye(2, 3), person=1, keypoints=keypoints,
    )  # fmt: skip


def write_set(folder: Path, count: int) -> list[Sample]:
    """Shards of drawn samples, and the samples."""
    scenes = [
        draw_portrait(np.random.default_rng([SEED, 0, number]), allowed=drawable_parts(LIP)) for number in range(SCENES)
    ]
    samples = [draw_sample(number, scenes[number % SCENES]) for number in range(count)]
    entries = []
    folder.mkdir(parents=True)
    for start in range(0, count, PER_SHARD):
        part = samples[start : start + PER_SHARD]
        data = parquet_bytes([sample_row(sample) for sample in part], SAMPLE_SCHEMA, ROW_GROUP)
        name = f"part-{len(entries):05d}.parquet"
        (folder / name).write_bytes(data)
        entries.append(ShardEntry(name, len(part), len(data), hashlib.sha256(data).hexdigest()))
    Manifest(
        kind="samples", dataset="drawn", split="train", label_set="lip", keypoint_set="lip16",
        parameters={"row_group": ROW_GROUP}, steps={}, shards=tuple(entries), links={},
    ).write(folder)  # fmt: skip
    return samples


def plain_data(samples: list[Sample]) -> PlainData:
    """The plain way to the samples."""
    return PlainData(samples, (LIP, LIP16), SPEC, AUGMENT, HEATMAPS, SEED)


def project_data(folder: Path) -> TrainingData:
    """The project's way to them; nothing is read yet."""
    return TrainingData(ParsingSamples([folder], LIP, LIP16), SPEC, AUGMENT, SEED)


def floor_batches(samples: list[Sample]) -> Callable[[list[tuple[int, int]]], None]:
    """What makes a batch of the floor; the maps are not in its times."""
    jpegs = [np.frombuffer(sample.image, np.uint8) for sample in samples]
    pngs = [np.frombuffer(sample.mask, np.uint8) for sample in samples]
    maps = [
        draw_placement((one.height, one.width), SPEC.size, AUGMENT, draw(SEED, 0, f"drawn/{one.sample_id}")).to_input
        for one in samples
    ]

    def make(keys: list[tuple[int, int]]) -> None:
        for _, index in keys:
            image = cv2.imdecode(jpegs[index], cv2.IMREAD_COLOR)
            mask = cv2.imdecode(pngs[index], cv2.IMREAD_UNCHANGED)
            cv2.warpAffine(image, maps[index], SPEC.size, flags=cv2.INTER_LINEAR, borderValue=SPEC.fill)
            cv2.warpAffine(mask, maps[index], SPEC.size, flags=cv2.INTER_NEAREST, borderValue=IGNORE)

    return make


def read(samples: ParsingSamples, keys: list[tuple[int, int]]) -> None:
    """The records of a batch, nothing decoded."""
    for _, index in keys:
        samples[index]


def time_batches(folder: Path, samples: list[Sample], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one core a sample: of the best round of every batch, and of its median one."""
    plain, floor, place = plain_data(samples), floor_batches(samples), project_data(folder).empty(BATCH)
    batches = list(EpochBatches(len(samples), BATCH, SEED, ROW_GROUP))
    taken: dict[str, list[list[float]]] = {}
    for _ in range(rounds):
        project, reading = project_data(folder), project_data(folder).samples
        ways: dict[str, Callable[[list[tuple[int, int]]], Any]] = {
            "floor": floor,
            "project": partial(project.fill, batch=place),
            "plain": lambda keys: default_collate([plain[key] for key in keys]),
            "reading alone": partial(read, reading),
        }
        spent: dict[str, list[float]] = {name: [] for name in [*ways, "targets on the CPU"]}
        for keys in batches:
            for name, make in ways.items():
                begin = time.thread_time()
                make(keys)
                spent[name].append(time.thread_time() - begin)
                if name == "project":
                    begin = time.thread_time()
                    SPEC.normalize(place.images)
                    make_targets(place, 3, HEATMAPS)
                    spent["targets on the CPU"].append(time.thread_time() - begin)
        for name, seconds in spent.items():
            taken.setdefault(name, []).append(seconds)
    return {
        name: {
            kind: 1000 * float(pick(np.array(seconds), axis=0).sum()) / len(samples)
            for kind, pick in (("best", np.min), ("median", np.median))
        }
        for name, seconds in taken.items()
    }


def time_workers(folder: Path, samples: list[Sample], rounds: int) -> dict[str, list[float]]:
    """Samples a second of each round's epoch, from two workers."""
    orders = [EpochBatches(len(samples), BATCH, SEED, ROW_GROUP) for _ in range(2)]
    loaders: dict[str, Any] = {
        "project": training_loader(project_data(folder), orders[0], WORKERS, pin=False),
        "plain": DataLoader(
            plain_data(samples), batch_sampler=orders[1], num_workers=WORKERS, persistent_workers=True,
            worker_init_fn=one_thread,
        ),
    }  # fmt: skip
    rates: dict[str, list[float]] = {name: [] for name in loaders}
    for epoch in range(rounds + 1):
        for order, (name, loader) in zip(orders, loaders.items(), strict=True):
            order.epoch = epoch
            begin = time.perf_counter()
            count = sum(len(batch[0]) for batch in loader)
            if epoch:  # the first one starts the workers
                rates[name].append(count / (time.perf_counter() - begin))
    return rates


def figures(times: dict[str, dict[str, float]], rates: dict[str, list[float]]) -> dict[str, float]:
    """What is claimed."""
    best = {name: milliseconds["best"] for name, milliseconds in times.items()}
    return {
        "floor, samples/s and core": 1000 / best["floor"],
        "project, samples/s and core": 1000 / best["project"],
        "plain, samples/s and core": 1000 / best["plain"],
        "project, share of the floor": best["floor"] / best["project"],
        "plain, share of the floor": best["floor"] / best["plain"],
        "project, samples/s from two workers": float(np.median(rates["project"])),
        "plain, samples/s from two workers": float(np.median(rates["plain"])),
        "project over plain, two workers": float(np.median(np.divide(rates["project"], rates["plain"]))),
    }


def facts(samples: list[Sample]) -> dict[str, Any]:
    """The machine, and what the samples weigh."""
    areas = np.array([sample.width * sample.height for sample in samples])
    return {
        "machine": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "opencv": cv2.__version__,
        "samples": len(samples),
        "crop, median (height, width)": [
            float(np.median([getattr(one, side) for one in samples])) for side in ("height", "width")
        ],
        "JPEG bits/px": 8 * sum(len(sample.image) for sample in samples) / float(areas.sum()),
        "mask PNG bytes": float(np.mean([len(sample.mask or b"") for sample in samples])),
    }


def lines(times: dict[str, dict[str, float]], rates: dict[str, list[float]], claims: dict[str, float]) -> Iterator[str]:
    """The table."""
    for name, milliseconds in times.items():
        yield f"{name:20} {milliseconds['best']:7.3f} ms/sample best {milliseconds['median']:7.3f} median"
    for name, values in rates.items():
        yield f"{name:20} {np.median(values):7.0f} samples/s from two workers [{min(values):.0f}-{max(values):.0f}]"
    for name, value in claims.items():
        yield f"{name:40} {value:8.2f}"


def main() -> None:
    """Measure, write, print; exit 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told = "more than are kept when read: 32 row groups of 50"
    parser.add_argument("--samples", type=int, default=2000, help=told)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        samples = write_set(Path(scratch) / "drawn", options.samples)
        described = facts(samples)
        times = time_batches(Path(scratch) / "drawn", samples, options.rounds)
        rates = time_workers(Path(scratch) / "drawn", samples, options.rounds)
    claims = figures(times, rates)
    result = {**described, "ms a sample": times, "samples/s from two workers": rates, "figures": claims}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_whole(RESULT, (json.dumps(result, indent=1) + "\n").encode())
    print("\n".join(lines(times, rates, claims)))
    if claims["project, share of the floor"] < LEAST_SHARE or claims["project over plain, two workers"] < LEAST_RATIO:
        sys.exit(f"below {LEAST_SHARE} of the floor, or below {LEAST_RATIO:g} times the plain way")


if __name__ == "__main__":
    main()
