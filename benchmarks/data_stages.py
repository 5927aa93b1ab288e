"""What do the label stages cost beside reading and writing, and do two workers, or Ray, halve it?

    python benchmarks/data_stages.py [--people 5000] [--repeat 10] [--images 1200]

Draws a LIP set of single people (200 differ, the others repeat their bytes under other names), ingests and crops it, and runs
the steps edges, heatmaps and shard in this process, on one core, in turns with their floor:

    floor      reads the columns of the input shards that the step needs, decodes the masks it looks at, and writes the same
               outputs from arrays that lie ready: encoded (PNG, deflate, parquet), and flushed to the disk together at the end
    bare floor the same from outputs that were encoded beforehand: the PNGs, the npz

Then the same people in shards as large as presets/corrpm-lip.yaml has them, and edges and heatmaps over these `--repeat` times, as
many people as LIP has, by one worker, two workers, and Ray with two, which has been started before; published folders must be equal.
The local pool works as under a command: each step in a process of its own, so that each pays for the start of its workers. What two
processes that share nothing but the machine reach beside one is measured between them: two cores of a virtual machine are seldom twice one. Then the cutting out of CIHP's people, from a fourth of `--images` scenes and from all of them,
to see whether the time of an image grows with their number. Writes benchmarks/results/data_stages.json; ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from crowds import write_crowd
from measuring import Line, paired_ratio, write
from processes import hpp

from pipeline.execution import Engine, LocalPool
from pipeline.execution.cluster import RayCluster
from pipeline.images import decode_map, encode_bits
from pipeline.rows import EDGE_SCHEMA
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.read import iter_rows, read_rows, read_table
from pipeline.shards.step import ShardInput, Step, content_hash, run_step
from pipeline.shards.write import flush_files, npz_bytes, parquet_bytes, table_bytes, write_whole
from pipeline.steps.annotated_pose import annotated_pose_step
from pipeline.steps.crop import annotated_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.edges import edges_step
from pipeline.steps.heatmaps import heatmaps_step
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.samples import samples_step

ROW_GROUP, SIZE, STRIDE, JOINTS = 20, (40, 24), 4, 16
LIP_SHARD, LIP_ROW_GROUP = 500, 50  # of presets/corrpm-lip.yaml
ROUNDS = 5
MAPS = heatmaps_step(SIZE, STRIDE, 2.0, None, "corrpm", True)


def publish(step: Step, shards: Sequence[ShardInput], folder: Path, engine: Engine) -> float:
    """Seconds of a step over shards, its publication included, in a folder of its own."""

    def describe(split: str, entries: tuple[ShardEntry, ...]) -> Manifest:
        return Manifest(
            step.name, "crowd", split, "lip", None, dict(step.parameters), {step.name: step.version}, entries, {}
        )

    cv2.setNumThreads(1)
    begin = time.perf_counter()
    run_step(
        step, shards, describe, ["train"], folder / "data" / step.name, folder / "scratch", engine=engine,
        max_rejects=0, limit_key="", progress=lambda more: None,
    )  # fmt: skip
    return time.perf_counter() - begin


_APART = "import pickle, sys; from data_stages import publish; print(publish(*pickle.load(sys.stdin.buffer)))"


def publish_apart(step: Step, shards: Sequence[ShardInput], folder: Path, engine: Engine) -> float:
    """`publish` in a process of its own."""
    work, here = pickle.dumps((step, shards, folder, engine)), Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", _APART], input=work, stdout=subprocess.PIPE, cwd=here, check=True)
    return float(done.stdout)


Floor = Callable[[tuple[Path, ...], Any, Path], None]


def edges_floor(paths: tuple[Path, ...], ready: Any, out: Path) -> None:
    for row in iter_rows(paths[0], ["sample_id", "mask"]):
        decode_map(row["mask"], "mask")
    rows = [{"sample_id": name, "edge": edge if isinstance(edge, bytes) else encode_bits(edge)} for name, edge in ready]
    write_whole(out, parquet_bytes(rows, EDGE_SCHEMA, ROW_GROUP), flush=False)


def heatmaps_floor(paths: tuple[Path, ...], ready: Any, out: Path) -> None:
    read_table(paths[0], ["sample_id", "width", "height"])
    read_table(paths[1], ["sample_id", "keypoints"])
    write_whole(out, ready if isinstance(ready, bytes) else npz_bytes(ready.items(), True), flush=False)


def samples_floor(paths: tuple[Path, ...], ready: Any, out: Path) -> None:
    crops = read_table(paths[0])
    read_table(paths[1])
    read_table(paths[2])
    for mask in crops["mask"].to_pylist():
        decode_map(mask, "mask")
    write_whole(out, ready if isinstance(ready, bytes) else table_bytes(ready, ROW_GROUP), flush=False)


def ready_edges(path: Path, encoded: bool) -> Any:
    rows = read_rows(path)
    return [(row["sample_id"], row["edge"] if encoded else decode_map(row["edge"], "edge")) for row in rows]


def ready_heatmaps(path: Path, encoded: bool) -> Any:
    if encoded:
        return path.read_bytes()
    with np.load(path) as maps:
        return {name: maps[name] for name in maps.files}


def ready_samples(path: Path, encoded: bool) -> Any:
    return path.read_bytes() if encoded else read_table(path)


def against_floor(
    step: Step, shards: Sequence[ShardInput], floor: Floor, ready: Callable[[Path, bool], Any], project: Path
) -> tuple[list[Line], dict[str, float]]:
    """The step beside its floor, the same shards in turns, and the published folder for the next one."""
    publish(step, shards, project, LocalPool(1))
    outputs = sorted((project / "data" / step.name / "train").glob(f"*.{step.suffix}"))
    times: dict[str, list[float]] = {"step": [], "floor": [], "bare floor": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=project) as aside:
            times["step"].append(publish(step, shards, Path(aside), LocalPool(1)))
            for name, encoded in (("floor", False), ("bare floor", True)):
                spent = 0.0
                for shard, output in zip(shards, outputs, strict=True):
                    kept = ready(output, encoded)
                    begin = time.perf_counter()
                    floor(shard.inputs, kept, Path(aside) / f"{name} {output.name}")
                    spent += time.perf_counter() - begin
                begin = time.perf_counter()
                flush_files(Path(aside).glob(f"{name} *"))
                spent += time.perf_counter() - begin
                times[name].append(spent)
    lines = [
        Line(
            f"{step.name}: time beside reading, decoding and writing",
            paired_ratio(times["step"], times["floor"]),
            target=1.5,
            at_most=True,
        ),
        Line(f"{step.name}: the same, outputs encoded beforehand", paired_ratio(times["step"], times["bare floor"])),
    ]
    return lines, {name: statistics.median(seconds) for name, seconds in times.items()}


def large_shards(project: Path, settings: Mapping[str, object]) -> list[tuple[Step, list[ShardInput]]]:
    """Edges and heatmaps of the same people, in shards as those of the preset for LIP."""
    folder = project / "large"
    settings = {**settings, "shards.records_per_shard": LIP_SHARD, "shards.row_group": LIP_ROW_GROUP}
    for stage in ("download", "ingest", "crop"):
        hpp(folder, settings, stage, "lip")
    crops, pose = folder / "data/crops/lip", folder / "data/pose"
    publish(annotated_pose_step(JOINTS, LIP_ROW_GROUP), stage_inputs([crops], ["train"]), folder, LocalPool(1))
    return [
        (edges_step(3, False, LIP_ROW_GROUP), stage_inputs([crops], ["train"])),
        (MAPS, stage_inputs([crops, pose], ["train"], stem="heatmaps")),
    ]


def workers(
    steps: Sequence[tuple[Step, Sequence[ShardInput]]], repeat: int, project: Path
) -> tuple[list[Line], dict[str, float]]:
    """Edges and heatmaps by one worker, two, and Ray."""
    work = [
        (step, [replace(shard, stem=f"{shard.stem}-{n}", content=content_hash(shard.content, n)) for n in range(repeat) for shard in shards])
        for step, shards in steps
    ]  # fmt: skip
    cluster = RayCluster(2)
    list(cluster.run_tasks(abs, [0, 1, 2, 3]))  # Ray's start is apart
    ways: dict[str, tuple[Callable[..., float], Engine]] = {
        "one": (publish_apart, LocalPool(1)),
        "two": (publish_apart, LocalPool(2)),
        "ray": (publish, cluster),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    hashes, machine = {}, []
    for _ in range(3):
        machine.append(scaling())
        for name, (run, engine) in ways.items():
            with tempfile.TemporaryDirectory(dir=project) as aside:
                seconds[name].append(sum(run(step, shards, Path(aside), engine) for step, shards in work))
                hashes[name] = [path.read_bytes() for path in sorted(Path(aside).rglob("manifest.json"))]
    if not hashes["one"] == hashes["two"] == hashes["ray"]:
        raise SystemExit("edges and heatmaps: the engines' bytes differ")
    lines = [
        Line(
            "edges and heatmaps: two workers as fast as one",
            paired_ratio(seconds["one"], seconds["two"]),
            target=1.8,
            note=f"shards of {LIP_SHARD} as LIP's preset has them, the pool's start included",
        ),
        Line("two processes that compute, as fast as one", statistics.median(machine), note="what the machine gives"),
        Line(
            "edges and heatmaps: time of Ray beside the local pool, two workers each",
            paired_ratio(seconds["ray"], seconds["two"]),
            target=1.25,
            at_most=True,
            note="Ray started before; equal bytes",
        ),
    ]
    return lines, {name: statistics.median(times) for name, times in seconds.items()}


def scaling() -> float:
    """How much more two processes do than one in the same time: encoding and decoding maps, nothing shared."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(encoded_in, [0.1, 0.1], chunksize=1)  # both have started
        alone = pool.apply(encoded_in, (2.0,))
        return sum(pool.map(encoded_in, [2.0, 2.0], chunksize=1)) / alone


def encoded_in(seconds: float) -> int:
    """Maps of a person's size that are encoded and decoded in so many seconds."""
    cv2.setNumThreads(1)
    edge = np.zeros((200, 100), np.uint8)
    edge[::7] = 1
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        decode_map(encode_bits(edge), "edge")
        count += 1
    return count


def cutting(images: int, project: Path) -> tuple[list[Line], dict[str, float]]:
    """Seconds per image of cutting out people, from few and from many images."""
    per_image = {}
    for count in (images // 4, images):
        folder = project / f"cihp{count}"
        write_crowd("cihp", folder / "source", count)
        settings = {"datasets.cihp.source": folder / "source", "datasets.cihp.splits": "[train]"}
        for stage in ("download", "ingest"):
            hpp(folder, settings, stage, "cihp")
        shards = stage_inputs([folder / "data/ingest/cihp"], ["train"])
        step = annotated_step(CutRules("black", 0, 60, 0.2), ROW_GROUP)
        per_image[count] = publish(step, shards, folder / "cut", LocalPool(1)) / count
    few, many = per_image.values()
    line = Line(
        f"crop: time of an image among {images}, beside one among {images // 4}", many / few, target=1.2, at_most=True
    )
    return [line], {f"crop, {count} images, s per image": seconds for count, seconds in per_image.items()}


def main() -> None:
    """Draw, measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=5000)
    options.add_argument("--repeat", type=int, default=10, help="times that the engines go through all people")
    options.add_argument("--images", type=int, default=1200, help="scenes of several people to cut")
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    lines: list[Line] = []
    details: dict[str, Any] = {"people": chosen.people, "seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write_crowd("lip", project / "source", chosen.people)
        settings = {"datasets.lip.source": project / "source", "datasets.lip.splits": "[train]"}
        for stage in ("download", "ingest", "crop"):
            usage = hpp(project, settings, stage, "lip")
            details["seconds"][stage] = {"core": usage.core_seconds}
        data = project / "data"
        crops = data / "crops/lip"
        publish(annotated_pose_step(JOINTS, ROW_GROUP), stage_inputs([crops], ["train"]), project, LocalPool(1))
        edges = edges_step(3, False, ROW_GROUP)
        samples = samples_step((SIZE[0] * STRIDE, SIZE[1] * STRIDE), ROW_GROUP, {"width": 3})
        inputs = {
            "edges": stage_inputs([crops], ["train"]),
            "heatmaps": stage_inputs([crops, data / "pose"], ["train"], stem="heatmaps"),
        }
        for step, floor, ready in ((edges, edges_floor, ready_edges), (MAPS, heatmaps_floor, ready_heatmaps)):
            more, details["seconds"][step.name] = against_floor(step, inputs[step.name], floor, ready, project)
            lines += more
        joined = stage_inputs([crops, *(data / name for name in ("edges", "pose", "heatmaps"))], ["train"])
        more, details["seconds"]["shard"] = against_floor(samples, joined, samples_floor, ready_samples, project)
        lines += more
        details["bytes"] = {
            name: sum(path.stat().st_size for path in (data / place / "train").iterdir())
            for name, place in (("ingest", "ingest/lip"), ("crops", "crops/lip"), ("edges", "edges"), ("pose", "pose"),
                                ("heatmaps", "heatmaps"), ("shards", "shard"))
        }  # fmt: skip
        more, details["engines"] = workers(large_shards(project, settings), chosen.repeat, project)
        lines += more
        more, details["cutting"] = cutting(chosen.images, project)
        lines += more
    write("data_stages", lines, details)


if __name__ == "__main__":
    main()
