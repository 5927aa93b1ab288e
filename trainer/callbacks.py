"""How long work tells its caller what it does, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with the number of steps done and the number of all steps."""

Log = Callable[[str, float, int], None]
"""Called with a value's name, the value, and the epoch it belongs to (from 1)."""


def no_progress(done: int, total: int) -> None:
    """Tell nobody."""


def no_log(name: str, value: float, step: int) -> None:
    """Tell nobody."""
