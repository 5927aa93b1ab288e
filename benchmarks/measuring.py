"""What the benchmarks share: the machine's facts, times side by side, figures beside their targets in one JSON form."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.shards.write import write_whole

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


@dataclass(frozen=True)
class Line:
    """One measured figure.

    Attributes:
        what: a line of the table.
        figure: in `unit`.
        target: what it should reach; None where there is none.
        at_most: the figure should stay below the target, else above.
        note: how it came about, where that is not plain.
    """

    what: str
    figure: float
    unit: str = "times"
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def missed(self) -> bool:
        """Whether there is a target that the figure does not reach."""
        return self.target is not None and (self.figure > self.target if self.at_most else self.figure < self.target)


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, load and the versions that decide speed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "opencv-python-headless", "pyarrow", "torch")},
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


_IN_A_ROW = 3


def side_by_side(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each function: the least of all calls.

    They are called in turns, so that a busy moment meets them all alike, and three times in a row, so that each finds its
    own data in the processor's caches.
    """
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(rounds):
        for name, function in functions.items():
            for _ in range(_IN_A_ROW):
                begin = time.perf_counter()
                function()
                best[name] = min(best[name], time.perf_counter() - begin)
    return best


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Median of the ratios of times that were taken one after the other."""
    return statistics.median(above / below for above, below in zip(numerator, denominator, strict=True))


def write(name: str, lines: Sequence[Line], details: Mapping[str, Any]) -> None:
    """Write benchmarks/results/<name>.json and print its lines.

    Args:
        details: what was measured, for those who compute with it.
    """
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = {"machine": machine(), "lines": [asdict(line) for line in lines], "details": details}
    write_whole(RESULTS / f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())
    for line in lines:
        target = "" if line.target is None else f"  target {'≤' if line.at_most else '≥'} {line.target:g}"
        print(f"{line.what:72} {line.figure:10.3g} {line.unit}{target}{'  MISSED' if line.missed else ''}", flush=True)
