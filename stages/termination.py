"""SIGTERM, as schedulers send it: workers are stopped, unfinished files put away, and the command ends within seconds."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM
_PATIENCE_S = 4
"""How long putting away may take before the process is ended all the same: outputs are whole at any moment."""


@contextmanager
def terminable() -> Iterator[None]:
    """Inside the block SIGTERM ends worker processes and raises SystemExit(143), so that `finally` blocks are run.

    Without this the process would be gone at once, its workers at work on, and files with names of their own left behind.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        _stop()

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except BaseException:
        if stopped.is_set():  # whatever was raised on the way out
            raise SystemExit(EXIT_CODE) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_PATIENCE_S)
    threading.excepthook = lambda _: None  # a pool's own thread is surprised by the end of its workers
    for child in multiprocessing.active_children():
        child.terminate()
    print("Stopped by SIGTERM. Run the command again: it goes on where it was.", file=sys.stderr)
    raise SystemExit(EXIT_CODE)
