"""SIGTERM into every command of `hpp`, at moments spread over its work."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fault_runs import ROOT, TOOLS, files_below, run
from reliability_page import Stopped

from stages.cli import COMMANDS

SHARES = (0.25, 0.55, 0.85)
"""Of a command's time, when SIGTERM is sent."""
TRIES, EARLIER = 4, 0.75
"""A command that was faster than thought is tried again, so much earlier."""
CHECKPOINT = "checkpoint.pth.tar"

WORDS = {
    "init-dataset": ("exported", "--name", "mine"),
    "preset": ("corrpm-lip",),
    "datasets": (),
    "download": ("lip",),
    "check": ("lip",),
    "ingest": ("lip",),
    "fit-detector": (),
    "fit-pose": (),
    "crop": ("cihp",),
    "edges": ("lip",),
    "pose": ("cihp",),
    "heatmaps": ("lip",),
    "shard": ("lip",),
    "train": (),
    "evaluate": (),
    "compare": ("metrics/evaluate.json", "metrics/evaluate.json"),
    "report": (),
    "label": ("photos", "--out", "labelled/again"),
    "predict": ("photos", "--out", "predicted again"),
    "results": (),
    "convert-weights": ("--from", "mula", CHECKPOINT, "converted.pt"),
    "sample": ("lip", "--out", "sample", "--images", "40"),
    "show": ("lip",),
    "export-model": ("--weights", "models/parser.pt", "--format", "onnx", "--out", "parser.onnx"),
    "export": ("lip", "--format", "coco", "--out", "exported again"),
    "verify": ("data/shards",),
}
SETTINGS = {
    "fit-detector": ("detector.weights=fit", "detector.fit.steps=4", "detector.fit.batch_size=1"),
    "fit-pose": ("pose.weights=fit", "pose.fit.steps=8", "pose.fit.batch_size=4"),
    "train": ("train.epochs=4",),
}


def stop_all(project: Path, workers: int) -> list[Stopped]:
    """Stop every command.

    Args:
        project: in which every stage has been run; its caches are removed.
        workers: commands tried side by side.
    """
    if set(WORDS) != set(COMMANDS):
        raise SystemExit(f"commands that are not stopped here: {sorted(set(WORDS) ^ set(COMMANDS))}")
    shutil.rmtree(project / "data/scratch")
    make = f"from pathlib import Path; from tests.trainer.convert.test_convert import mula_checkpoint; mula_checkpoint(Path('{CHECKPOINT}'))"
    subprocess.run([sys.executable, "-c", make], cwd=project, env={"PYTHONPATH": str(ROOT)}, check=True)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(partial(stop, project), WORDS))


def stop(project: Path, name: str) -> Stopped:
    """Stop one command at several moments, each in a copy of the project."""
    words, settings = (name, *WORDS[name]), SETTINGS.get(name, ())
    with tempfile.TemporaryDirectory(prefix="stopping-") as scratch:
        folder = Path(scratch) / "project"  # some files tell where they were made
        shutil.copytree(project, folder)
        undisturbed = run(words, folder, settings)
        whole_run = folder.rename(Path(scratch) / "after")
        if undisturbed.code:
            raise SystemExit(f"hpp {name} failed undisturbed: {undisturbed.told}")
        after, runs, whole, left = [], [], True, ""
        for share in SHARES:
            moment = share * undisturbed.seconds
            for _ in range(TRIES):
                shutil.copytree(project, folder)
                ran = run(words, folder, settings, after=moment)
                halves, unfinished = strange(folder, project, whole_run)
                shutil.rmtree(folder)
                if ran.stopped is not None:
                    break
                moment *= EARLIER
            after.append(moment)
            runs.append(ran)
            whole = whole and not halves
            left = left or ("a process" if ran.alive else min(unfinished, default=""))
        result = Stopped(
            name, undisturbed.seconds, tuple(after), tuple(ran.code for ran in runs),
            tuple(ran.stopped for ran in runs if ran.stopped is not None), whole, left,
        )  # fmt: skip
        print(f"hpp {name}: {result}", flush=True)
        return result


def strange(folder: Path, before: Path, after: Path) -> tuple[list[str], list[str]]:
    """Files that are neither as before nor as after the undisturbed run, and those that only an unfinished run has."""
    halves, unfinished = [], []
    for file in files_below(folder):
        name = file.relative_to(folder)
        known = [one / name for one in (before, after) if (one / name).is_file()]
        if name.parts[0] in TOOLS or (name.parts[:2] == ("data", "scratch") and not name.name.startswith(".")):
            continue
        if not known:
            unfinished.append(str(name))
        elif not any(one.read_bytes() == file.read_bytes() for one in known) and not _grows(file, known):
            halves.append(str(name))
    return halves, unfinished


def _grows(file: Path, known: Sequence[Path]) -> bool:
    """Whether a list is the beginning of what it is to be."""
    return file.suffix == ".jsonl" and any(one.read_bytes().startswith(file.read_bytes()) for one in known)
