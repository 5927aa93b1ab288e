"""How long work tells its caller what it does, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Progress = Callable[[int, int], None]
"""Called with the number of steps done and the number of all steps."""

StepProgress = Callable[[int, int, Mapping[str, float]], None]
"""Called after a step of training with the number of steps done, the number of all steps, and the step's losses."""

Log = Callable[[str, float, int], None]
"""Called with a value's name, the value, and the epoch it belongs to (from 1)."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def no_step_progress(done: int, total: int, losses: Mapping[str, float]) -> None:
    """Tell nobody."""


def no_log(name: str, value: float, step: int) -> None:
    """Tell nobody."""
