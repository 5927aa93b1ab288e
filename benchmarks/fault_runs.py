"""A command of `hpp` run with a fault in it, or stopped by SIGTERM: how it ended, and how long that took."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
LAYER = ROOT / "tests/faults/site"
PATIENCE_S, STOP_S, HANG_S = 300.0, 5.0, 1.0
"""For a run; for the end of one that is stopped; and how long one that hangs is watched before it is stopped."""

TOOLS = (".git", ".dvc", ".dvcignore")
"""What git and DVC keep in a project."""

SMALL = (
    "datasets.lip.images={train: 12, val: 4}", "datasets.cihp.images={train: 4, val: 2}", "pose.judge=4",
    "teacher_datasets.coco.images={train: 2, val: 6}", "shards.records_per_shard=4", "shards.row_group=2", "executor.workers=2",
    "executor.loader_workers=1", "train.input_size=[64, 48]", "train.channels=16", "train.epochs=2", "train.warmup_steps=0",
)  # fmt: skip
"""The project: a handful of drawn people, two worker processes, one loader."""

COLUMNS = {
    ("error", False): "I/O error", ("error", True): "I/O error", ("short", False): "short writes", ("full", False): "disk full",
    ("kill", False): "SIGKILL", ("term", False): "SIGTERM", ("kill", True): "worker dies", ("hang", True): "worker hangs",
    ("raise", False): "network raises",
}  # fmt: skip
"""Kind of a fault, whether in a worker -> what it is called."""


class Fault(NamedTuple):
    """A fault: its kind, at which of what, and whether in a worker process; see tests/faults/site."""

    kind: str
    at: int
    on: str = "write"
    worker: bool = False

    @property
    def column(self) -> str:
        """Its kind as the page has it."""
        return COLUMNS[self.kind, self.worker]

    def __str__(self) -> str:
        return f"{'worker: ' if self.kind == 'error' and self.worker else ''}{self.column} at {self.on} {self.at}"


class Ran(NamedTuple):
    """How a run ended.

    Attributes:
        code: exit code; a signal's number, negative, where one ended it.
        told: its last line on stderr; nothing where a signal ended it.
        struck: the fault's turn came.
        stopped: seconds from SIGTERM to the end of the last process; None where there was none.
        seconds: of the whole run.
        alive: processes of the run were there 5 s after its end, or after SIGTERM.
        events: of a run that only counts: what could have been disturbed, a letter an event; see tests/faults/site.
    """

    code: int
    told: str
    struck: bool
    stopped: float | None
    seconds: float
    alive: bool
    events: str


def command(words: Sequence[str], settings: Sequence[str] = ()) -> list[str]:
    """The command line of `hpp` in the project's folder."""
    options = [word for value in (*SMALL, *settings) for word in ("--set", value)]
    return [sys.executable, "-c", "from stages.cli import main; main()", "--quiet", *options, *words]


def run(
    words: Sequence[str],
    folder: Path,
    settings: Sequence[str] = (),
    fault: Fault | None = None,
    after: float | None = None,
) -> Ran:
    """Run a command; one that hangs is stopped by SIGTERM, as a person would, and so is any `after` so many seconds."""
    with tempfile.TemporaryDirectory(prefix="mark-") as scratch:
        mark, errors = Path(scratch) / "mark", Path(scratch) / "stderr"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DVC_NO_ANALYTICS": "1"}
        if fault is not None:
            environment["PYTHONPATH"] = f"{LAYER}{os.pathsep}{ROOT}"
            environment["FAULT"] = json.dumps({**fault._asdict(), "folder": str(folder), "mark": str(mark)})
        begun = time.monotonic()
        with errors.open("wb") as stderr:
            running = subprocess.Popen(
                command(words, settings), cwd=folder, env=environment, stderr=stderr, stdout=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            sent = _stop(running, mark if fault is not None and fault.kind == "hang" else None, after)
            try:
                running.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
        ended = time.monotonic()
        marked = mark.read_text() if mark.is_file() else ""
        if marked and fault is not None and fault.kind == "term":
            sent = float(marked.split()[0])
        alive = not gone(running.pid, (ended if sent is None else sent) + STOP_S)
        last = time.monotonic()
        if alive:
            os.killpg(running.pid, signal.SIGKILL)
        lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
        told = lines[-1].replace(str(folder), ".") if lines and running.returncode >= 0 else ""
        stopped = None if sent is None else last - sent
        return Ran(running.returncode, told, bool(marked), stopped, ended - begun, alive, marked)


def _stop(running: subprocess.Popen[bytes], mark: Path | None, after: float | None) -> float | None:
    """Send SIGTERM a while after the mark is there, or after so many seconds; when it was sent, if it was."""
    if mark is not None:
        while running.poll() is None and not mark.is_file():
            time.sleep(0.02)
        after = HANG_S
    if after is None:
        return None
    try:
        running.wait(after)
        return None
    except subprocess.TimeoutExpired:
        running.terminate()
        return time.monotonic()


def gone(group: int, until: float) -> bool:
    """Whether no process of the group is left at that time of the monotonic clock; returns as soon as none is."""
    while True:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.01)


def files_below(place: Path) -> Iterator[Path]:
    """A file, or all files of a folder; hidden ones too."""
    yield from (file for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())


def content(folder: Path, places: Sequence[str]) -> dict[str, str]:
    """File -> SHA-256 of all files at the places."""
    files = [file for place in places for file in files_below(folder / place)]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}
