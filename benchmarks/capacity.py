"""Write docs/scale.md: what the published sets and ten million people cost, from measured costs, with the arithmetic.

    python benchmarks/capacity.py

Reads benchmarks/results/memory.json (every data stage on few and on many drawn people), teachers.json (the sample teachers) and
data_stages.json (two workers beside one); the text around the figures lies here, the figures come from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from measuring import RESULTS, ROOT

PAGE = ROOT / "docs" / "scale.md"

SETS = {"LIP": (40_462, 40_462), "CIHP": (33_280, 113_000), "ATR": (17_700, 17_700), "COCO": (66_808, 156_000)}
"""Images, people: of the published sets, the labelled ones, rounded where only a mean number of people is published."""

PIXELS = 66_160
"""Of a person's crop of LIP, mean; the drawn people have fewer."""

CORES = (1, 16, 256)
MILLIONS = 10_000_000

STAGES = ("ingest", "crop", "edges", "pose", "heatmaps", "shard")

CLUSTER = """# Scale

Written by `benchmarks/capacity.py`; costs are those that `make bench` and `make soak` left in `benchmarks/results`.

## On a cluster

`executor.backend: ray` runs the same stages on a Ray cluster: shards are tasks, a network lives in an actor on each GPU, or on
every four cores where there is none. Results are the same bytes as those of the local pool; networks give equal bytes on machines
of one type.

```
pip install 'human-parsing-pipeline[ray]'
hpp --set executor.backend=ray ingest cihp                                  # Ray is started here, with executor.workers processes
hpp --set executor.backend=ray --set executor.address=10.0.0.1:6379 crop cihp   # a cluster that is there: ray start --head
hpp --set executor.backend=ray --set executor.address=10.0.0.1:6379 --set executor.storage=s3://bucket/hpp crop cihp
```

- **A file system that all machines mount** (`executor.storage: null`): tasks name files, only names travel. The project's folder
  (`data/`, `models/`) lies under the same path everywhere: NFS, Lustre, FSx, Filestore, or a mounted bucket. A machine where it is
  missing says so in one line.
- **Machines that share nothing but an object store** (`executor.storage: s3://bucket/folder`, gs://, abfs://, file:///mnt/folder for a
  mounted one): every file that a task reads goes there under the SHA-256 of its bytes, unless it is there already, and what the task
  made comes back the same way, hashes verified. The project's folder stays an ordinary folder of the machine where the command runs,
  and DVC's outputs lie in it. The command runs in that folder, without `--root`. Each machine needs the store's driver (`pip install
  s3fs`, `gcsfs` or `adlfs`) and credentials as that driver finds them (environment, instance role); none stand in params.yaml. `ingest`,
  `check`, `crop`, `edges`, `pose`, `heatmaps` and `shard` work so; `label` then works on its own machine.
- **What stays behind**: `<storage>/objects` is only a cache and may be deleted when nothing runs, or be emptied by a rule of the bucket
  for old objects. A machine keeps a data set's archives, or a teacher, once in `hpp-<user id>` of its temporary folder (`TMPDIR` moves
  it), and a shard of each process; the next run removes what it does not use.
- **Sources** may be addresses of an object store, too (s3://, gs://, hf://, https://); `download` brings them into `data/raw` once.
- **Access**: a cluster that asks for a token gets that of `RAY_AUTH_TOKEN` (with `RAY_AUTH_MODE=token`), as Ray has it.
- **Code**: the driver's `pipeline` package travels with the tasks; Python and the packages must be installed on the machines.
- **Failures**: Ray tries a task whose process or machine died three more times. A killed driver goes on where it stopped: finished
  shards lie in `data/scratch` under the hash of what they were made from.
- **Slow bits**: `executor.backend` changes no result, so a set may be ingested by one engine and cropped by another.
"""

LACKING = """
## Cost

{files} is not there: nothing has been measured yet. `make bench` and `make soak` measure, and write this part.
"""

MEASURED = """
## Measured cost of a person

Times are of one core of {processor}; the load beside it was {load}. Seconds of one core per person, as the difference of two runs: (core seconds of {many} people − core seconds of {few}) ÷ the difference in
people. The start of a process and of its workers drops out. Bytes are those of the published folder.

| stage | {many} people, core s | {few} people, core s | ms per person | bytes per person |
|---|---|---|---|---|
{costs}
| **all** | | | **{total_ms:.2f}** | **{total_bytes:,.0f}** |

The drawn people have {sample_bytes:,.0f} bytes of archive each. Real crops of LIP have {pixels:,} pixels on average and drawn ones {sample_pixels:,}:
{ratio:.1f} times. Where all of a stage's work is on pixels, its cost on real people is that many times larger; the tables below take all of it
to be, and are an upper estimate: {total_ms:.2f} ms × {ratio:.1f} = {real_ms:.2f} ms per person.

Stages with networks, the committed sample teachers, on the CPU (`benchmarks/teachers.py`): {detect_ms:.0f} ms of a core per image to find
people, {pose_ms:.0f} ms per person to find joints. They are small networks; the published Mask R-CNN and pose networks want a GPU, and no GPU was
measured: for those, put (images ÷ images per second of your GPU) ÷ GPUs in place of these lines.

## LIP, CIHP, ATR and COCO

| set | images | people | label stages, core hours | finding people, core hours | finding joints, core hours |
|---|---|---|---|---|---|
{sets}
| **together** | **{images:,}** | **{people:,}** | **{labels_h:.2f}** | **{detect_h:.2f}** | **{pose_h:.2f}** |

Label stages: people × {real_ms:.2f} ms ÷ 3,600,000. People are looked for in CIHP and COCO (images × {detect_ms:.0f} ms), joints in CIHP and ATR (people ×
{pose_ms:.0f} ms); LIP and COCO have theirs.

| cores | label stages | with the sample teachers |
|---|---|---|
{cores}

Core hours ÷ cores ÷ {efficiency:.2f}, the measured efficiency of two workers beside one ({efficiency_from}). Shards of
{records} records each: {people:,} people are {shards:,} shards, so more than {shards:,} cores find no work, and the last shards leave some idle
before. Left out is what the process that hands out the shards does alone: it lists the archives at the beginning and links and describes
the folder at the end; where a stage takes less than a minute, most of it may be that. Reading at {bytes_s:.0f} MB/s for every core ({sample_bytes:,.0f} bytes × {ratio:.1f} ÷ {real_ms:.2f} ms) is what the shared file system must give: {mb16:,.0f} MB/s for 16
cores, {mb256:,.0f} MB/s for 256; below that it is the file system that stops the scaling.

## Ten million people

| | arithmetic | |
|---|---|---|
| archives | 10,000,000 × {sample_bytes:,.0f} × {ratio:.1f} bytes | {raw_tb:.2f} TB |
| all folders of the stages | 10,000,000 × {total_bytes:,.0f} × {ratio:.1f} bytes | {out_tb:.2f} TB |
| label stages, one core | 10,000,000 × {real_ms:.2f} ms | {million_h:,.0f} hours |
| label stages, 256 cores | ÷ 256 ÷ {efficiency:.2f} | {million_256_h:.1f} hours |
| finding joints of all, sample teacher, 256 cores | 10,000,000 × {pose_ms:.0f} ms ÷ 256 ÷ {efficiency:.2f} | {million_pose_h:.1f} hours |
| shards of {records} | 10,000,000 ÷ {records} | {million_shards:,} files |

Scratch and outputs are the same files where the file system has hard links. What grows with the data in the driver is its list of shards
and the findings: raise `shards.records_per_shard` to 2,000 for such sets, so that a folder stays below some thousand files.
Before it starts, a stage reads every finished shard once to see whether it is whole: {check_h:.1f} hours for all folders at 1 GB/s.
"""


def per_person(runs: list[dict[str, Any]], stage: str) -> float:
    """Core seconds a person, from the difference of two runs."""
    few, many = runs
    more = many["people"] - few["people"]
    return (many["stages"][stage]["core_seconds"] - few["stages"][stage]["core_seconds"]) / more


def page(memory: Mapping[str, Any], teachers: Mapping[str, Any], stages: Mapping[str, Any]) -> str:
    """The page's costs.

    Args:
        memory, teachers, stages: contents of memory.json, teachers.json and data_stages.json.
    """
    runs = memory["details"]["lip"]
    few, many = runs
    people = many["people"]
    folder = {"crop": "crops", "shard": "shards"}
    cost = {stage: per_person(runs, stage) for stage in STAGES}
    sizes = {stage: many["bytes"][folder.get(stage, stage)] / people for stage in STAGES}
    costs = "\n".join(
        f"| {stage} | {many['stages'][stage]['core_seconds']:.1f} | {few['stages'][stage]['core_seconds']:.1f} | "
        f"{1000 * cost[stage]:.2f} | {sizes[stage]:,.0f} |"
        for stage in STAGES
    )
    sample_pixels = many["pixels"]
    ratio = PIXELS / sample_pixels
    real = sum(cost.values()) * ratio
    found = teachers["details"]["figures"]
    detect = 1 / found["crop"]["further images per second and core"]
    joints = 1 / found["pose"]["further people per second and core"]
    hours = {
        name: (
            count * real / 3600,
            images * detect / 3600 if name in ("CIHP", "COCO") else 0.0,
            count * joints / 3600 if name in ("CIHP", "ATR") else 0.0,
        )
        for name, (images, count) in SETS.items()
    }
    sums = [sum(one[place] for one in hours.values()) for place in range(3)]
    speedup = next(line["figure"] for line in stages["lines"] if "two workers as fast as one" in line["what"])
    efficiency = speedup / 2
    everyone = sum(count for _, count in SETS.values())
    raw = many["bytes"]["raw"] / people
    all_bytes = sum(sizes.values())
    bytes_s = raw * ratio / real / 1e6
    records = 60
    return MEASURED.format(
        processor=f"{memory['machine']['processor']} ({memory['machine']['cores']} cores)",
        load=memory["machine"]["load"],
        many=f"{people:,}",
        few=f"{few['people']:,}",
        costs=costs,
        total_ms=1000 * sum(cost.values()),
        total_bytes=all_bytes,
        sample_bytes=raw,
        pixels=PIXELS,
        sample_pixels=round(sample_pixels),
        ratio=ratio,
        real_ms=1000 * real,
        detect_ms=1000 * detect,
        pose_ms=1000 * joints,
        sets="\n".join(
            f"| {name} | {images:,} | {count:,} | " + " | ".join(f"{value:.2f}" for value in hours[name]) + " |"
            for name, (images, count) in SETS.items()
        ),
        images=sum(images for images, _ in SETS.values()),
        people=everyone,
        labels_h=sums[0],
        detect_h=sums[1],
        pose_h=sums[2],
        cores="\n".join(
            f"| {cores} | {_time(sums[0] / cores / (efficiency if cores > 1 else 1))} | "
            f"{_time(sum(sums) / cores / (efficiency if cores > 1 else 1))} |"
            for cores in CORES
        ),
        efficiency=efficiency,
        efficiency_from=f"{speedup:.2f} times as fast, `benchmarks/data_stages.py`",
        records=records,
        shards=everyone // records,
        bytes_s=bytes_s,
        mb16=16 * bytes_s,
        mb256=256 * bytes_s,
        raw_tb=MILLIONS * raw * ratio / 1e12,
        out_tb=MILLIONS * all_bytes * ratio / 1e12,
        million_h=MILLIONS * real / 3600,
        million_256_h=MILLIONS * real / 3600 / 256 / efficiency,
        million_pose_h=MILLIONS * joints / 3600 / 256 / efficiency,
        million_shards=MILLIONS // records,
        check_h=MILLIONS * all_bytes * ratio / 1e9 / 3600,
    )


def _time(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def main() -> None:
    """Write the page; costs only where there is all that they are made from."""
    files = [RESULTS / f"{name}.json" for name in ("memory", "teachers", "data_stages")]
    lacking = [file.name for file in files if not file.is_file()]
    if lacking:
        costs = LACKING.format(files=", ".join(lacking))
    else:
        costs = page(*(json.loads(file.read_text(encoding="utf-8")) for file in files))
    PAGE.write_text(CLUSTER + costs, encoding="utf-8")


if __name__ == "__main__":
    main()
