"""`hpp` in a process of its own: its time, and the memory of it and all its workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from measuring import ROOT

_EVERY = 0.1  # seconds between two looks


@dataclass(frozen=True)
class Usage:
    """What one command took.

    Attributes:
        seconds: by the clock.
        core_seconds: user and system time of the process and its workers.
        peak_mb: the largest resident set of the process, and those of its workers, each at its own peak, summed.
    """

    seconds: float
    core_seconds: float
    peak_mb: float


def command(project: Path, settings: Mapping[str, object], *arguments: str) -> list[str]:
    """The command line of `hpp` in a project's folder, params.yaml's values replaced by `settings`."""
    options = ["--params", str(ROOT / "params.yaml"), "--root", str(project), "--quiet"]
    for key, value in settings.items():
        options += ["--set", f"{key}={value}"]
    return [sys.executable, "-c", "from stages.cli import main; main()", *options, *arguments]


def hpp(project: Path, settings: Mapping[str, object], *arguments: str) -> Usage:
    """Run `hpp` and look at it until it ends; an error ends the benchmark."""
    begin = time.perf_counter()
    process = subprocess.Popen(command(project, settings, *arguments), cwd=ROOT)
    watch = _Watch(process.pid)
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    watch.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"hpp {' '.join(arguments)} ended with {process.returncode}")
    # Linux tells the resident set in KiB; workers' processor time counts once they have been waited for.
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024 + watch.workers_mb)


class _Watch(threading.Thread):
    """Looks again and again at the peaks that the system keeps of a process's workers."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process, self._ended = process, threading.Event()
        self._peaks: dict[int, float] = {}

    @property
    def workers_mb(self) -> float:
        return sum(self._peaks.values())

    def run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                workers = psutil.Process(self._process).children(recursive=True)
            except psutil.NoSuchProcess:
                continue
            for worker in workers:
                self._peaks[worker.pid] = max(self._peaks.get(worker.pid, 0), _peak_mb(worker.pid))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _peak_mb(process: int) -> float:
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    peaks = [line.split()[1] for line in text.splitlines() if line.startswith("VmHWM")]
    return int(peaks[0]) / 1024 if peaks else 0.0
