"""Faults into every stage and SIGTERM into every command, and whether anything was lost: docs/reliability.md.

    python benchmarks/reliability.py                              everything; three quarters of an hour on two cores
    python benchmarks/reliability.py --stages edges "crop cihp"   these alone; what the page says of the others stays
    python benchmarks/reliability.py --stages commands            SIGTERM into every command alone

On a small project of drawn people every stage is run undisturbed, then, from the same state before it, with an I/O error, a full disk,
short writes, SIGKILL and SIGTERM at writes and renamings spread over its run, with a worker process that dies, hangs or cannot write, and
with a network that raises; what is to be withstood stands on the page. Writes benchmarks/results/reliability.json and the page; exit code
1 where something was lost, or where fewer than ten faults struck in a stage.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from fault_runs import ROOT, TOOLS, Fault, content, files_below, run
from reliability_page import Outcome, Stopped, lacking, page
from stopping import stop_all

from pipeline.shards.manifest import MANIFEST_NAME, Manifest
from pipeline.sources.archives import Archives

RESULT, PAGE = ROOT / "benchmarks/results/reliability.json", ROOT / "docs/reliability.md"
COMMANDS = "commands"
PHOTOS = 5


class Stage(NamedTuple):
    """A command as it is run.

    Attributes:
        words: of the command line.
        faults: are put into it.
        settings: parameters that are its alone.
        out: its outputs' place, where it is no stage of dvc.yaml.
        by_file: it writes file by file; else a folder appears whole or not at all.
        aside: the next stage goes on without what it did.
    """

    words: tuple[str, ...]
    faults: bool = False
    settings: tuple[str, ...] = ()
    out: str = ""
    by_file: bool = False
    aside: bool = False


def _fit(key: str, steps: int) -> tuple[str, ...]:
    return (f"{key}.weights=fit", f"{key}.fit.steps={steps}", f"{key}.fit.batch_size=1", f"{key}.fit.warmup_steps=0")


STAGES = {
    "download": Stage(("download", "lip"), faults=True),
    "download cihp": Stage(("download", "cihp")),
    "download coco": Stage(("download", "coco")),
    "check": Stage(("check", "lip"), faults=True, out="data/check/lip", by_file=True),
    "ingest": Stage(("ingest", "lip"), faults=True),
    "ingest cihp": Stage(("ingest", "cihp")),
    "ingest coco": Stage(("ingest", "coco")),
    "fit_detector": Stage(("fit-detector",), faults=True, settings=_fit("detector", 3), aside=True),
    "fit_pose": Stage(("fit-pose",), faults=True, settings=_fit("pose", 3), aside=True),
    "fit_detector given": Stage(("fit-detector",)),
    "fit_pose given": Stage(("fit-pose",)),
    "crop": Stage(("crop", "lip"), faults=True),
    "crop annotated": Stage(("crop", "cihp"), faults=True, settings=("detector.backend=annotated",), aside=True),
    "crop found": Stage(("crop", "cihp"), faults=True),
    "edges": Stage(("edges", "lip"), faults=True),
    "pose": Stage(("pose", "lip"), faults=True),
    "pose found": Stage(("pose", "cihp"), faults=True),
    "heatmaps": Stage(("heatmaps", "lip"), faults=True),
    "shard": Stage(("shard", "lip"), faults=True),
    "edges cihp": Stage(("edges", "cihp")),
    "heatmaps cihp": Stage(("heatmaps", "cihp")),
    "shard cihp": Stage(("shard", "cihp")),
    "train": Stage(("train",), faults=True),
    "evaluate": Stage(("evaluate",), faults=True),
    "report": Stage(("report",), faults=True),
    "export": Stage(("export", "lip", "--format", "folder", "--out", "exported")),
}
"""In order; each needs those before it."""
JUDGED = tuple(name for name, stage in STAGES.items() if stage.faults)


def outputs(stage: Stage, graph: dict[str, Any]) -> list[str]:
    """The places of a stage's outs and metrics."""
    if stage.out:
        return [stage.out]
    name, dataset = stage.words[0].replace("-", "_"), stage.words[-1]
    entry = graph[f"teacher_{name}" if dataset == "coco" else name]
    told = entry.get("do", entry)
    listed = [*told.get("outs", []), *told.get("metrics", [])]
    return [(next(iter(one)) if isinstance(one, dict) else one).replace("${key}", dataset) for one in listed]


def samples(folder: Path, places: Sequence[str]) -> int:
    """Records in the manifests at the places, as far as they can be read."""
    manifests = [file.parent for place in places for file in (folder / place).rglob(MANIFEST_NAME)]
    return sum(Manifest.read(place).records for place in manifests)


def faults(events: str, exchanged: int = 0) -> list[Fault]:
    """Faults spread over a stage's events.

    Args:
        events: of a run in an empty place, as the letters that tests/faults/site writes.
        exchanged: folders that take an old one's place, by a call of the system's that is not counted.
    """
    writes = events.count("w") - exchanged

    def at(*shares: float) -> list[int]:
        return sorted({1 + round(share * (writes - 1)) for share in shares})

    chosen = [Fault("kill", place) for place in at(0.3, 1)] + [Fault("term", place) for place in at(0.5, 1)]
    chosen += [Fault("error", place) for place in at(0.25, 0.9)] + [Fault("full", at(0.4)[0]), Fault("short", 1)]
    if "A" in events:
        chosen += [Fault("kill", 1, "answer", True), Fault("hang", 1, "answer", True)]
    if "W" in events:
        chosen += [Fault("error", 1, "write", True), Fault("kill", 2, "write", True)]
    if calls := events.count("c"):
        chosen.append(Fault("raise", 1 + calls // 2, "call"))
    if "A" not in events:  # more of these where there are no workers
        chosen += [Fault("kill", at(0.7)[0]), Fault("error", at(0.6)[0]), Fault("full", at(0.85)[0])]
    return chosen


class Undisturbed(NamedTuple):
    """A stage's run without a fault: the project before and after it, and the places of its outputs."""

    name: str
    before: Path
    after: Path
    places: list[str]

    def outcome(self, fault: Fault) -> Outcome:
        """What comes of a fault from the same state."""
        stage = STAGES[self.name]
        with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
            folder = Path(scratch) / "project"
            shutil.copytree(self.before, folder)
            ran = run(stage.words, folder, stage.settings, fault)
            whole = all(self._whole(folder, place, stage.by_file) for place in self.places)
            # What is killed cannot clean up; the rerun does.
            killed = fault.kind == "kill" or fault.worker
            left = "" if killed else _first(hidden(folder) - hidden(self.before))
            rerun = run(stage.words, folder, stage.settings) if ran.code else None
            strays = outside_scratch(folder) - outside_scratch(self.after)
            return Outcome(
                self.name, fault.column, str(fault), ran.struck, ran.code, ran.told[:160], ran.stopped, whole,
                ran.alive or (rerun is not None and rerun.alive), None if rerun is None else rerun.code,
                samples(self.after, self.places) - samples(folder, self.places),
                content(folder, self.places) == content(self.after, self.places), left or _first(strays),
            )  # fmt: skip

    def _whole(self, folder: Path, place: str, by_file: bool) -> bool:
        found, old, new = (content(one, [place]) for one in (folder, self.before, self.after))
        if not by_file:
            return found in (old, new)
        return all(
            digest in (old.get(name), new.get(name)) or _begins(folder / name, self.after / name)
            for name, digest in found.items()
            if not Path(name).name.startswith(".")  # what a killed run leaves has a name that says so
        )


def _begins(part: Path, whole: Path) -> bool:
    """Whether a list that grows by lines is the beginning of another."""
    return part.suffix == ".jsonl" and whole.is_file() and whole.read_bytes().startswith(part.read_bytes())


def _first(files: set[str]) -> str:
    return min(files, default="")


def hidden(folder: Path) -> set[str]:
    """Files with names that say that they are not finished."""
    names = (file.relative_to(folder) for file in files_below(folder))
    return {
        str(name) for name in names if any(part.startswith(".") for part in name.parts) and name.parts[0] not in TOOLS
    }


def outside_scratch(folder: Path) -> set[str]:
    """All files but those of the scratch folder and the tools' own."""
    names = (file.relative_to(folder) for file in files_below(folder))
    return {str(name) for name in names if name.parts[:2] != ("data", "scratch") and name.parts[0] not in TOOLS}


def put_old(before: Path, after: Path, places: Sequence[str]) -> None:
    """Let other outputs stand at the outputs' place: older ones, which a run replaces."""
    for place in places:
        old = before / place / "old.txt" if (after / place).is_dir() else before / place
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_text("old\n")


def begin(folder: Path) -> None:
    """A project without data, in git and DVC as its own are."""
    folder.mkdir()
    commit = [
        "git",
        "-c",
        "user.name=n",
        "-c",
        "user.email=n@example.org",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "begin",
    ]
    for command in (["git", "init", "-q"], commit, [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True)
    shutil.copy(ROOT / "params.yaml", folder)


def put_photos(folder: Path) -> None:
    """Some photos of data set cihp as photos of one's own."""
    archives = Archives(folder / "data/raw/cihp")
    (folder / "photos").mkdir()
    for number, member in enumerate([one for one in archives.members if one.path.endswith(".jpg")][:PHOTOS]):
        (folder / "photos" / f"{number}.jpg").write_bytes(archives.read(member))


def judge(chosen: Sequence[str], workers: int, keep: Callable[[str, Any], None]) -> None:
    """Run all stages undisturbed, put faults into the chosen ones, and stop every command if that is chosen.

    Args:
        workers: faults tried side by side.
        keep: told a stage, or COMMANDS, and what came of it.
    """
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    last = len(STAGES) if COMMANDS in chosen else 1 + max(list(STAGES).index(name) for name in chosen)
    with tempfile.TemporaryDirectory(prefix="reliability-") as scratch:
        folder, before = Path(scratch) / "project", Path(scratch) / "before"
        begin(folder)
        for name, stage in list(STAGES.items())[:last]:
            if stage.aside and name not in chosen:
                continue
            shutil.copytree(folder, before)
            ran = run(stage.words, folder, stage.settings, Fault("count", 0))
            if ran.code:
                raise SystemExit(f"{name} failed undisturbed: {ran.told}")
            if name in chosen:
                places = outputs(stage, graph)
                if not stage.out:
                    put_old(before, folder, places)
                undisturbed = Undisturbed(name, before, folder, places)
                exchanged = 0 if stage.out else sum((folder / place).is_dir() for place in places)
                with ThreadPoolExecutor(workers) as pool:
                    found = map(_told, pool.map(undisturbed.outcome, faults(ran.events, exchanged)))
                    keep(name, [one._asdict() for one in found])
            if stage.aside:
                shutil.rmtree(folder)
                before.rename(folder)
            else:
                shutil.rmtree(before)
        if COMMANDS in chosen:
            put_photos(folder)
            keep(COMMANDS, [one._asdict() for one in stop_all(folder, workers)])


def _told(one: Outcome) -> Outcome:
    if one.struck:
        stopped = "" if one.stopped is None else f", stopped after {one.stopped:.1f} s"
        verdict = "as it should be" if one.good else f"NOT: {one}"
        print(f"{one.stage}, {one.fault}: exit {one.code}{stopped}, then {one.rerun}: {verdict}", flush=True)
    else:
        print(f"{one.stage}, {one.fault}: did not strike", flush=True)
    return one


def _keep(results: dict[str, Any], name: str, found: Any) -> None:
    results[name] = found
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def read(results: dict[str, Any]) -> tuple[list[Outcome], list[Stopped]]:
    """What stands in the results' file, stages in their order."""
    outcomes = [Outcome(**one) for name in JUDGED for one in results.get(name, [])]
    stopped = [Stopped(**{key: tuple(value) if isinstance(value, list) else value for key, value in one.items()})
               for one in results.get(COMMANDS, [])]  # fmt: skip
    return outcomes, stopped


def verdict(outcomes: Sequence[Outcome], stopped: Sequence[Stopped], stages: Sequence[str]) -> list[str]:
    """What is not as it should be, a line each."""
    bad = [f"{one.stage}, {one.fault}: {one}" for one in outcomes if one.struck and not one.good]
    bad += [f"hpp {one.command}: {one}" for one in stopped if not one.good]
    return bad + [f"{stage}: only {count} faults struck" for stage, count in lacking(outcomes, stages).items()]


def main() -> None:
    parts = (*JUDGED, COMMANDS)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", nargs="+", choices=parts, default=parts, metavar="STAGE", help=", ".join(parts))
    parser.add_argument("--workers", type=int, default=2, help="faults tried side by side")
    chosen = parser.parse_args()
    results = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    judge(chosen.stages, chosen.workers, partial(_keep, results))
    outcomes, stopped = read(results)
    PAGE.write_text(page(outcomes, stopped), encoding="utf-8")
    bad = verdict(outcomes, stopped, [name for name in JUDGED if name in results])
    print("\n".join(bad))
    print(
        f"{sum(one.struck for one in outcomes)} faults struck, {len(stopped)} commands stopped; {len(bad)} not as it should be"
    )
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
