"""SIGTERM, as schedulers send it: workers are stopped, unfinished files put away, and the command ends within seconds."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM
_PATIENCE_S = 3.5
"""How long putting away may take before the process is ended all the same: outputs are whole at any moment."""

_LAST_RESORT_S = 1.0
"""How much later the system ends it, should no thread of it get to run."""

_TOLD = "Stopped by SIGTERM. Run the command again: it goes on where it was."


# What a forked process hears is not for its parent.
os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))


@contextmanager
def terminable() -> Iterator[None]:
    """Inside the block SIGTERM ends worker processes and raises SystemExit, so that `finally` blocks are run; then the process ends.

    Without this the process would be gone at once, its workers at work on, and files with names of their own left behind. Where
    one long call of a library keeps Python from hearing the signal, or something on the way out takes long, a thread ends the
    process instead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()
        _stop()

    before = signal.signal(signal.SIGTERM, stop)
    ears, mouth = os.pipe()
    os.set_blocking(mouth, False)
    others = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(ears, stopped), daemon=True).start()
    try:
        yield
    except BaseException:
        if stopped.is_set():  # whatever was raised on the way out
            _end()
        raise
    finally:
        signal.set_wakeup_fd(others)
        os.close(mouth)
        signal.signal(signal.SIGTERM, before)


def _stop() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.excepthook = lambda _: None  # a pool's own thread is surprised by the end of its workers
    _stop_workers()
    print(_TOLD, file=sys.stderr)
    raise SystemExit(EXIT_CODE)


def _end() -> None:
    """End the process, everything of ours being put away: libraries may wait in their own ends for what was stopped."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE)


def _stop_workers() -> None:
    for child in multiprocessing.active_children():
        child.terminate()
    for fellow in _fellows():
        os.kill(fellow, signal.SIGTERM)


def _fellows() -> Iterator[int]:
    """Processes that this one started by its own command line, to share a training: without it they would wait for it."""
    words = [os.fsencode(word) for word in sys.argv[1:]]
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                line = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[:-1]
            except OSError:  # it has ended
                continue
            if words and line[-len(words) :] == words:
                yield int(child)


def _watch(ears: int, stopped: threading.Event) -> None:
    """Wait for SIGTERM, whose number the system writes at once, busy or not; then for the process to end by itself."""
    with open(ears, "rb", buffering=0) as heard:
        while (number := heard.read(1)) and number[0] != signal.SIGTERM:
            pass
        if not number:  # the block is left
            return
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE_S + _LAST_RESORT_S)
    time.sleep(_PATIENCE_S)
    if not stopped.is_set():
        print(_TOLD, file=sys.stderr, flush=True)
    _stop_workers()
    os._exit(EXIT_CODE)
