"""`hpp` in a process of its own: its time, and the memory of it and all its workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from measuring import ROOT

_EVERY = 0.05  # seconds between two looks


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
    # Nobody waits for the server that forks the workers, so its time and theirs are not in wait4's. The peak that wait4
    # tells is of no use: where it is the larger one it is this process's, which the other one was before it began.
    return Usage(seconds, usage.ru_utime + usage.ru_stime + watch.server_seconds, watch.peak_mb)


class _Watch(threading.Thread):
    """Looks again and again at the peaks that the system keeps of a process and its workers."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process, self._ended = process, threading.Event()
        self._peaks: dict[int, float] = {}
        self._servers: dict[int, float] = {}

    @property
    def server_seconds(self) -> float:
        """Processor time of the server that forks the workers, and of those workers that have ended."""
        return sum(self._servers.values())

    @property
    def peak_mb(self) -> float:
        return sum(self._peaks.values())

    def run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                process = psutil.Process(self._process)
                processes = [process, *process.children(recursive=True)]
            except psutil.NoSuchProcess:
                continue
            for one in processes:
                # The last look is the one that counts: the first may meet a process that is still a copy of its parent.
                self._peaks[one.pid] = _peak_mb(one.pid) or self._peaks.get(one.pid, 0)
            for one in processes[1:]:
                with suppress(psutil.NoSuchProcess):
                    if one.ppid() == self._process and any(
                        "multiprocessing.forkserver" in part for part in one.cmdline()
                    ):
                        self._servers[one.pid] = sum(one.cpu_times()[:4])  # its own, and its children's

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
