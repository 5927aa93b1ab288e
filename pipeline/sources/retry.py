"""Try again, with growing pauses, as long as the trouble passes by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class MirrorError(Exception):
    """This address cannot give the file, and trying again would not help; another address may."""


class PassingError(Exception):
    """A try that failed for now; `wait_s` is how long the server asked to wait, where it did."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Patience:
    """How long to go on with one address.

    Attributes:
        retries: further tries after one that brought nothing new.
        timeout_s: seconds without a single byte after which a connection counts as stalled.
        allow_http: whether addresses without encryption may be used.
        longest_wait_s: the longest pause, whatever the server asks for.
        sleep: pauses for seconds.
    """

    retries: int = 5
    timeout_s: float = 60.0
    allow_http: bool = False
    longest_wait_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep


def persist(attempt: Callable[[], T], patience: Patience, part: Path | None = None) -> T:
    """What `attempt` returns in the end; a try that brought `part` further than ever starts the count anew.

    Raises:
        MirrorError: the address cannot give the file, or the tries are used up.
    """
    furthest, failures = _size(part), 0
    while True:
        try:
            return attempt()
        except PassingError as trouble:
            size = _size(part)
            failures = 1 if size > furthest else failures + 1
            furthest = max(furthest, size)
            if failures > patience.retries:
                raise MirrorError(f"{trouble} ({failures} tries without progress)") from trouble
            wait = 2.0 ** (failures - 1) if trouble.wait_s is None else trouble.wait_s
            patience.sleep(max(0.0, min(wait, patience.longest_wait_s)))


def _size(part: Path | None) -> int:
    return part.stat().st_size if part is not None and part.exists() else 0
