"""Does a killed stage go on where it stopped, and end with the same bytes?

    python benchmarks/kills.py [--people 240] [--kills 10]

Every data stage of a LIP set of drawn people is killed with SIGKILL again and again, each time in a fresh copy of the project:
when a random number of its shards has been finished (the download after a random time), some while it publishes. The workers of
the killed process must end by themselves. The next run must publish the same bytes as an undisturbed one, leave every shard alone
that had been finished, and leave nothing else behind. Writes benchmarks/results/kills.json; a quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
from crowds import write_crowd
from measuring import ROOT, Line, write
from processes import command, hpp

DATASET = "lip"
OUT = {"download": "raw", "ingest": "ingest", "crop": "crops", "edges": "edges", "pose": "pose", "heatmaps": "heatmaps",
       "shard": "shards"}  # fmt: skip
"""Stage -> its folder below data/."""


class Killed(NamedTuple):
    """One kill: shards that had been finished, those of them that the next run made again all the same, and all there are."""

    finished: int
    made_again: int
    shards: int


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def finished(project: Path, stage: str) -> dict[str, int]:
    """Finished shards in scratch -> when they were written."""
    folder = project / "data/scratch" / stage
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.json") if not path.name.startswith(".")}


def kill_once(project: Path, settings: Mapping[str, object], stage: str, after: int, pause: float) -> bool:
    """Kill a stage `pause` seconds after so many shards are finished; False where it was faster.

    Raises:
        SystemExit: a worker outlives it.
    """
    process = subprocess.Popen(command(project, settings, stage, DATASET), cwd=ROOT)
    while process.poll() is None and len(finished(project, stage)) < after:
        time.sleep(0.005)
    time.sleep(pause)
    try:
        workers = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        workers = []
    process.kill()
    late = process.wait() == 0
    _, alive = psutil.wait_procs(workers, timeout=30)
    if alive:
        sys.exit(f"{stage}: {len(alive)} workers outlive the process that was killed")
    return not late


def resume(project: Path, settings: Mapping[str, object], stage: str, expected: Mapping[str, str]) -> Killed:
    """Run a killed stage again and compare.

    Raises:
        SystemExit: other bytes, or something is left beside the output.
    """
    before = finished(project, stage)
    hpp(project, settings, stage, DATASET)
    out = project / "data" / OUT[stage] / DATASET
    if contents(out) != expected:
        sys.exit(f"{stage}: after a kill the next run gave other bytes")
    after = finished(project, stage)
    left = [path.name for path in out.parent.iterdir() if path.name != DATASET]
    if left:
        sys.exit(f"{stage}: {left[0]} was left beside its output")
    again = sum(after[name] != written for name, written in before.items())
    return Killed(len(before), again, len(after))


def copy_before(project: Path, stage: str, target: Path) -> None:
    """The project as it was before a stage: earlier outputs, no scratch."""
    shutil.copytree(project / "models", target / "models")
    for earlier in list(OUT)[: list(OUT).index(stage)]:
        shutil.copytree(project / "data" / OUT[earlier], target / "data" / OUT[earlier])


def kill_stage(
    project: Path, settings: Mapping[str, object], stage: str, kills: int, rng: random.Random
) -> list[Killed]:
    """Kill a stage of a finished project so many times, each time in a copy of its own."""
    expected = contents(project / "data" / OUT[stage] / DATASET)
    shards = len(finished(project, stage))
    done: list[Killed] = []
    while len(done) < kills:
        with tempfile.TemporaryDirectory(dir=project.parent) as folder:
            copy = Path(folder)
            copy_before(project, stage, copy)
            after, pause = rng.randint(0, shards), rng.uniform(0, 0.1 if shards else 4)
            if kill_once(copy, settings, stage, after, pause):
                done.append(resume(copy, settings, stage, expected))
                print(f"{stage}: killed with {done[-1].finished} of {shards} shards finished", flush=True)
    return done


def main() -> None:
    """Draw, kill, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=240)
    options.add_argument("--kills", type=int, default=10, help="of every stage")
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    rng = random.Random(chosen.seed)
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "whole"
        shutil.copytree(ROOT / "presets/teachers", project / "models", ignore=shutil.ignore_patterns("*.py", "*.json"))
        write_crowd("lip", Path(folder) / "source", chosen.people)
        settings = {
            f"datasets.{DATASET}.source": Path(folder) / "source",
            f"datasets.{DATASET}.splits": "[train]",
            "shards.records_per_shard": 20,
            "executor.workers": 2,
        }
        for stage in OUT:
            hpp(project, settings, stage, DATASET)
        kills = {stage: kill_stage(project, settings, stage, chosen.kills, rng) for stage in OUT}
    lines = [
        Line(f"{stage}: kills after which the next run gave the same bytes", len(of), "kills", chosen.kills)
        for stage, of in kills.items()
    ]
    lines += [
        Line(
            f"{stage}: finished shards that were made again",
            sum(kill.made_again for kill in of),
            "shards",
            0,
            at_most=True,
        )
        for stage, of in kills.items()
        if of[0].shards
    ]
    write("kills", lines, {stage: [kill._asdict() for kill in of] for stage, of in kills.items()})


if __name__ == "__main__":
    main()
