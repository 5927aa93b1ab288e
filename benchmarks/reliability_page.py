"""docs/reliability.md: what came of every fault and of SIGTERM into every command, as found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fault_runs import STOP_S

KINDS = (
    "I/O error", "short writes", "disk full", "SIGKILL", "SIGTERM", "worker dies", "worker hangs", "network raises",
)  # fmt: skip
ENOUGH = 10
"""Faults that have to strike in every stage."""


class Outcome(NamedTuple):
    """What became of a stage with a fault, and of its rerun.

    Attributes:
        kind: one of KINDS.
        fault: what it was, and when.
        struck: its turn came.
        code: exit code of the disturbed run.
        told: its last line on stderr.
        stopped: seconds from SIGTERM, sent by the fault or to end a run that hangs, to the end of the last process.
        whole: the outputs' place held what it had held before, or all of the new.
        alive: processes were left.
        rerun: exit code of the rerun; None where the disturbed run had reached its end.
        lost: samples that are lacking at the end.
        equal: the outputs at the end are those of the undisturbed run.
        left: a file that should not be there; empty if there is none.
    """

    stage: str
    kind: str
    fault: str
    struck: bool
    code: int
    told: str
    stopped: float | None
    whole: bool
    alive: bool
    rerun: int | None
    lost: int
    equal: bool
    left: str

    @property
    def good(self) -> bool:
        """Nothing was lost or left, and it ended in time."""
        in_time = self.stopped is None or self.stopped <= STOP_S
        return (
            self.whole and self.equal and not self.lost and self.rerun in (None, 0) and in_time and not self.alive
            and not self.left
        )  # fmt: skip


class Stopped(NamedTuple):
    """What became of a command that got SIGTERM in its midst.

    Attributes:
        seconds: that the command takes undisturbed.
        after: when SIGTERM was sent, in seconds from the command's start; ascending, as what follows.
        codes: exit codes.
        stopped: seconds until the last process had ended.
        whole: every file was as before, or as after the undisturbed run.
        left: processes or files that should not be there; empty if there are none.
    """

    command: str
    seconds: float
    after: tuple[float, ...]
    codes: tuple[int, ...]
    stopped: tuple[float, ...]
    whole: bool
    left: str

    @property
    def good(self) -> bool:
        """It ended in time, by the signal, and left whole files."""
        ended = all(code in (143, -15) for code in self.codes) and max(self.stopped, default=STOP_S + 1) <= STOP_S
        return ended and self.whole and not self.left


def lacking(outcomes: Sequence[Outcome], stages: Sequence[str]) -> dict[str, int]:
    """Stages in which too few faults struck -> how many did."""
    struck = {stage: sum(one.struck for one in outcomes if one.stage == stage) for stage in stages}
    return {stage: count for stage, count in struck.items() if count < ENOUGH}


def page(outcomes: Sequence[Outcome], stopped: Sequence[Stopped]) -> str:
    """The page, in Markdown."""
    struck = [one for one in outcomes if one.struck]
    silent = len(outcomes) - len(struck)
    stages = list(dict.fromkeys(one.stage for one in outcomes))
    good = sum(one.good for one in struck)
    slowest = max([one.stopped for one in struck if one.stopped is not None], default=0.0)
    commands = max([seconds for one in stopped for seconds in one.stopped], default=0.0)
    head = (
        f"**{len(struck)} faults struck in {len(stages)} stages: {good} times nothing was lost, and the outputs were equal in the "
        f"end. Samples lost: {sum(one.lost for one in struck)}. Longest time from SIGTERM to the end of the last process: "
        f"{max(slowest, commands):.1f} s.**"
    )
    if silent:
        head += (
            f" Of {silent} further faults the turn did not come (*did not strike* in the list); they count for nothing."
        )
    parts = [
        "# What faults do",
        "Made by `python benchmarks/reliability.py` (about three quarters of an hour on two cores), as found. `--stages edges crop` runs "
        "these alone anew and leaves the rest of the page as it is.",
        head,
        "A small project of drawn people. Each stage is run undisturbed, then, from the same state before it, with one fault; then once "
        "more without, unless it had reached its end all the same. Old outputs stand at the outputs' place beforehand. A fault counts as "
        "withstood if",
        "- the outputs' place held all of the old or all of the new right after the fault (`check` writes file by file: each file "
        "whole),\n"
        "- the rerun exits with 0, no sample is lacking, and all outputs are those of the undisturbed run, byte for byte,\n"
        "- no process and no unfinished file is left (after SIGKILL: none after the rerun; `data/scratch` may hold some, it is "
        "safe to delete),\n"
        f"- after SIGTERM, sent by the fault or to end a run that hangs, the last process is gone within {STOP_S:.0f} s.",
        "n of n: so many faults struck, so many were withstood. –: the stage has no workers, or no network.",
        _matrix(struck, stages),
        "## SIGTERM into every command",
        "Sent at three moments of every command's work, on a finished project without its caches. *Whole*: every file is as before, or as "
        "the undisturbed command writes it. Exit code 143, or -15 where Python had not begun with the command yet, or was through with it.",
        _commands(stopped),
        "## Every fault",
        "A negative exit code is the number of the signal that ended the process. *Stopped*: seconds from SIGTERM to the end of the last "
        "process.",
        _list(outcomes),
    ]
    return "\n\n".join(parts) + "\n"


def _matrix(struck: Sequence[Outcome], stages: Sequence[str]) -> str:
    rows = []
    for stage in stages:
        cells = []
        for kind in (*KINDS, None):
            those = [one for one in struck if one.stage == stage and kind in (None, one.kind)]
            good = sum(one.good for one in those)
            told = f"{good} of {len(those)}" if those else "–"
            cells.append(told if good == len(those) else f"**{told}**")
        rows.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join([f"| stage | {' | '.join(KINDS)} | all |", f"|---|{'---|' * (len(KINDS) + 1)}", *rows])


def _commands(stopped: Sequence[Stopped]) -> str:
    rows = [
        f"| {one.command} | {one.seconds:.1f} | {_joined(one.after)} | {_joined(one.codes)} | {max(one.stopped, default=0.0):.1f} "
        f"| {_yes(one.whole)} | {one.left or 'nothing'} |"
        for one in stopped
    ]
    head = "| `hpp` | takes, s | SIGTERM after, s | exit codes | stopped after at most, s | whole | left |"
    return "\n".join([head, "|---|---:|---|---|---:|---|---|", *rows])


def _list(outcomes: Sequence[Outcome]) -> str:
    head = "| stage | fault | exit | told | stopped | whole | left | rerun | lost | equal |"
    return "\n".join([head, "|---|---|---:|---|---:|---|---|---:|---:|---|", *map(_line, outcomes)])


def _line(one: Outcome) -> str:
    if not one.struck:
        return f"| {one.stage} | {one.fault} | {one.code} | did not strike |  |  |  |  |  |  |"
    left = ", ".join([*(["a process"] if one.alive else []), *([f"`{one.left}`"] if one.left else [])])
    cells = [
        one.stage, one.fault, one.code, one.told.replace("|", "/") or "–",
        "" if one.stopped is None else f"{one.stopped:.1f}", _yes(one.whole), left or "nothing",
        "–" if one.rerun is None else one.rerun, one.lost, _yes(one.equal),
    ]  # fmt: skip
    return f"| {' | '.join(map(str, cells))} |"


def _joined(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.1f}" if isinstance(value, float) else str(value) for value in values)


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"
