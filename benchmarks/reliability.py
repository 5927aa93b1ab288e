"""Each fault into each stage, and whether anything was lost: writes docs/reliability.md and benchmarks/results/reliability.json.

    python benchmarks/reliability.py                      every stage; about half an hour on two cores
    python benchmarks/reliability.py --stages edges crop  these only; the page is left as it was

On a small project of drawn people every stage is run undisturbed, then, from the same state before it, with an I/O error, a full disk,
short writes, SIGKILL and SIGTERM at writes spread over its run, in a worker process that dies or hangs, and, where it has a network,
with one that raises on an image. After each fault it is run again. Told are the exit code and the last line on stderr; whether
what stood at the outputs' place was whole (as before, or complete); the samples that the rerun lacks; and whether its outputs are the
undisturbed run's, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.shards.manifest import MANIFEST_NAME, Manifest

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ROOT / "tests/faults/site"
RESULT, PAGE = Path("benchmarks/results/reliability.json"), Path("docs/reliability.md")
PATIENCE_S, HANG_S = 600, 20
STAGES = (
    "download lip", "download cihp", "download coco", "ingest lip", "ingest cihp", "ingest coco", "fit_detector", "fit_pose", "crop lip",
    "crop cihp", "edges lip", "edges cihp", "pose lip", "pose cihp", "heatmaps lip", "heatmaps cihp", "shard lip", "shard cihp", "train",
    "evaluate", "report",
)  # fmt: skip
"""The stages in order, each with its data set; those of one name are one row family of the table."""
JUDGED = (
    "download lip", "ingest lip", "fit_detector", "fit_pose", "crop cihp", "edges lip", "pose cihp", "heatmaps lip", "shard lip", "train",
    "evaluate", "report",
)  # fmt: skip
"""The stages into which faults are put."""
SMALL = (
    "datasets.lip.images={train: 12, val: 4}", "datasets.cihp.images={train: 4, val: 2}", "pose.judge=4",
    "teacher_datasets.coco.images={train: 2, val: 6}", "shards={records_per_shard: 4, row_group: 2}", "executor.workers=2",
    "train.input_size=[64, 48]", "train.channels=16", "train.epochs=2", "train.warmup_steps=0",
)  # fmt: skip


class Fault(NamedTuple):
    """A fault: its kind, at which write (or image), and whether in a worker."""

    kind: str
    at: int
    worker: bool = False

    def __str__(self) -> str:
        what = {
            "error": "I/O error", "full": "disk full", "short": "short writes", "kill": "SIGKILL", "term": "SIGTERM", "hang": "hangs",
            "teacher": "network raises",
        }[self.kind]  # fmt: skip
        return f"{'worker: ' if self.worker else ''}{what} at {'call' if self.kind == 'teacher' else 'write'} {self.at}"


class Outcome(NamedTuple):
    """What became of a stage with a fault.

    Attributes:
        code: of the disturbed run.
        told: its last line on stderr.
        whole: the outputs' place held what it held before, or all of the new.
        lost: samples that the rerun lacks.
        equal: the rerun's outputs are the undisturbed run's.
        rerun: exit code of the rerun.
    """

    stage: str
    fault: str
    code: int
    told: str
    whole: bool
    lost: int
    equal: bool
    rerun: int


def command(stage: str, folder: Path) -> list[str]:
    name, _, dataset = stage.partition(" ")
    options = [word for value in SMALL for word in ("--set", value)]
    call = "from stages.cli import main; main()"
    return [
        sys.executable, "-c", call, "--quiet", "--params", str(ROOT / "params.yaml"), "--root", str(folder), *options,
        name.replace("_", "-"), *([dataset] if dataset else []),
    ]  # fmt: skip


def run(stage: str, folder: Path, fault: Fault | None = None, count: Path | None = None) -> tuple[int, str]:
    """Exit code and last line on stderr of a stage; one that hangs is sent SIGTERM, as a person would."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{FAULTS}{os.pathsep}{ROOT}",
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "1",
    }
    if count is not None:
        environment |= {"FAULT": f"count:0:{folder}", "FAULT_COUNT": str(count)}
    if fault is not None:
        environment["FAULT"] = f"{fault.kind}:{fault.at}:{folder}{':worker' if fault.worker else ''}"
    running = subprocess.Popen(command(stage, folder), cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        told = running.communicate(timeout=HANG_S if fault is not None and fault.kind == "hang" else PATIENCE_S)[1]
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        told = running.communicate()[1]
        if time.monotonic() - begun > 5:
            told += f"took {time.monotonic() - begun:.0f} s to stop"
    lines = [line for line in told.splitlines() if line.strip()]
    return running.returncode, lines[-1].replace(str(folder), ".") if lines else ""


def outputs(stage: str, graph: dict[str, Any]) -> list[str]:
    """The places of a stage's outs and metrics, from dvc.yaml."""
    name, _, dataset = stage.partition(" ")
    family = f"teacher_{name}" if dataset == "coco" else name
    entry = graph[family]
    content = entry.get("do", entry)
    listed = [*content.get("outs", []), *content.get("metrics", [])]
    return [(next(iter(one)) if isinstance(one, dict) else one).replace("${key}", dataset) for one in listed]


def content(folder: Path, places: Sequence[str]) -> dict[str, str]:
    """File -> SHA-256 of all files at the places."""
    files = [file for place in places for file in _files(folder / place)]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def _files(place: Path) -> Iterator[Path]:
    yield from (file for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())


def samples(folder: Path, places: Sequence[str]) -> int:
    """Records in the manifests at the places."""
    return sum(Manifest.read(file.parent).records for place in places for file in (folder / place).rglob(MANIFEST_NAME))


def faults(writes: int, stage: str) -> list[Fault]:
    """Ten faults at least, spread over the stage's writes."""
    places = sorted({1 + round(share * (writes - 1)) for share in (0, 0.2, 0.45, 0.7, 0.95)})
    chosen = (
        [Fault("kill", at) for at in places]
        + [Fault("term", at) for at in places[:3]]
        + [Fault("error", at) for at in places[:3]]
    )
    chosen += [Fault("full", places[0]), Fault("full", places[len(places) // 2]), Fault("short", 1)]
    if stage.partition(" ")[0] in ("ingest", "edges", "heatmaps", "shard"):
        chosen += [Fault("kill", 1, True), Fault("error", 2, True), Fault("hang", 1, True)]
    if stage in ("crop cihp", "pose cihp"):
        chosen.append(Fault("teacher", 3))
    return chosen


def disturbed(
    stage: str, fault: Fault, before: Path, after: dict[str, str], places: Sequence[str], records: int
) -> Outcome:
    """One fault into a copy of the state before the stage."""
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        folder = Path(scratch) / "project"
        shutil.copytree(before, folder)
        untouched = content(folder, places)
        code, told = run(stage, folder, fault)
        found = content(folder, places)
        whole = all(_part(found, place) in (_part(untouched, place), _part(after, place)) for place in places)
        rerun, _ = run(stage, folder)
        return Outcome(
            stage,
            str(fault),
            code,
            told[:160],
            whole,
            records - samples(folder, places),
            content(folder, places) == after,
            rerun,
        )


def _part(files: dict[str, str], place: str) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name == place or name.startswith(f"{place}/")}


def judge(chosen: Sequence[str], workers: int) -> list[Outcome]:
    """Run all stages undisturbed, and put the faults into the chosen ones."""
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        folder, before = Path(scratch) / "project", Path(scratch) / "before"
        folder.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        last = max(STAGES.index(stage) for stage in chosen)
        for stage in STAGES[: last + 1]:
            places, count = outputs(stage, graph), Path(scratch) / "writes"
            if stage in chosen:
                shutil.copytree(folder, before)
            code, told = run(stage, folder, count=count)
            if code:
                raise SystemExit(f"{stage} failed undisturbed: {told}")
            if stage not in chosen:
                continue
            after, records = content(folder, places), samples(folder, places)
            injected = faults(max(map(int, count.read_text().split())), stage)
            count.unlink()
            with ThreadPoolExecutor(workers) as pool:
                tried = partial(disturbed, stage, before=before, after=after, places=places, records=records)
                for outcome in pool.map(tried, injected):
                    outcomes.append(outcome)
                    verdict = "equal" if outcome.equal and outcome.whole and not outcome.lost else "NOT EQUAL"
                    print(f"{stage}, {outcome.fault}: exit {outcome.code}, then {outcome.rerun}: {verdict}", flush=True)
            shutil.rmtree(before)
    return outcomes


def page(outcomes: Sequence[Outcome]) -> str:
    """docs/reliability.md."""
    good = sum(one.whole and one.equal and not one.lost for one in outcomes)
    lines = [
        "# What faults do to the stages",
        "Written by `benchmarks/reliability.py`, as found: each fault into each stage of a small project of drawn people, then the stage "
        "once more. *Whole*: the outputs' place held what it had held before, or all of the new. *Lost*: samples that the rerun lacks. "
        "*Equal*: the rerun's outputs are those of an undisturbed run, byte for byte. A negative exit code is the signal's number.",
        f"{len(outcomes)} faults into {len({one.stage for one in outcomes})} stages; {good} times whole, nothing lost, equal.",
        "\n".join(
            ["| stage | fault | exit | told | whole | lost | equal after a rerun |", "|---|---|---:|---|---|---:|---|"]
            + [
                f"| {one.stage} | {one.fault} | {one.code} | {one.told.replace('|', '/') or '–'} | {_yes(one.whole)} | {one.lost} | {_yes(one.equal)} |"
                for one in outcomes
            ]
        ),
    ]
    return "\n\n".join(lines) + "\n"


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--stages", nargs="+", choices=JUDGED, default=list(JUDGED), metavar="STAGE", help=", ".join(JUDGED)
    )
    parser.add_argument("--workers", type=int, default=2, help="faults tried side by side")
    chosen = parser.parse_args()
    outcomes = judge(chosen.stages, chosen.workers)
    bad = [one for one in outcomes if not (one.whole and one.equal and not one.lost)]
    if set(chosen.stages) == set(JUDGED):
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(json.dumps([one._asdict() for one in outcomes], indent=1) + "\n", encoding="utf-8")
        PAGE.write_text(page(outcomes), encoding="utf-8")
    for one in bad:
        print(f"{one.stage}, {one.fault}: whole {one.whole}, lost {one.lost}, equal {one.equal}: {one.told}")
    print(f"{len(outcomes)} faults, {len(bad)} with a loss or a difference")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
