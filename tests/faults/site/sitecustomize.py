"""Faults at the n-th write, put into every Python process that starts with this folder on its path and FAULT in its environment.

FAULT is <kind>:<n>:<folder>[:worker]; writes to files below the folder count, each process for itself, with `worker` only in worker
processes. Kinds: `count` (tells the number of writes in FAULT_COUNT's file), `error` (an I/O error), `full` (no space from then on), `short`
(half of what was asked, from then on), `kill`, `term` (the signals to itself), `hang`, and `teacher`, which makes the n-th image of a
network raise.
"""

import atexit
import builtins
import errno
import io
import os
import signal
import sys
import time

_open = io.open


class _Faulty(io.FileIO):
    """A file whose writes are counted."""

    writes = 0

    def write(self, data, /):
        """As FileIO's, with the fault when its turn comes."""
        _Faulty.writes += 1
        turn = _Faulty.writes - AT
        if KIND == "error" and turn == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO), self.name)
        if KIND == "full" and turn >= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
        if KIND == "short" and turn >= 0 and len(data) > 1:
            return super().write(memoryview(data).cast("B")[: len(data) // 2])
        if turn == 0:
            act()
        return super().write(data)


def act():
    """The faults that are no errors of the file."""
    if KIND in ("kill", "term"):
        os.kill(os.getpid(), signal.SIGKILL if KIND == "kill" else signal.SIGTERM)
    elif KIND == "hang":
        time.sleep(3600)


def faulty_open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    """As open, counting what is written below the folder."""
    counted = (
        not isinstance(file, int) and set(mode) & set("wax+") and os.path.abspath(os.fsdecode(file)).startswith(FOLDER)
    )
    if not counted:
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = _Faulty(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    if buffering == 0:
        return raw
    kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
    buffered = kind(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)


class _Finder:
    """Arms a network's answers when its module has been imported."""

    def find_spec(self, name, path=None, target=None):
        """Let the others find the module, then put the fault into it."""
        if name not in ("pipeline.steps.detecting", "pipeline.steps.estimating"):
            return None
        sys.meta_path.remove(self)
        try:
            from importlib.util import find_spec

            spec = find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        run = spec.loader.exec_module

        def armed(module):
            run(module)
            arm(module)

        spec.loader.exec_module = armed
        return spec


def arm(module):
    """Let the n-th call of the network fail."""
    import torch

    call, calls = torch.nn.Module.__call__, [0]

    def counted(self, *args, **kwargs):
        if not getattr(counted, "inside", False):
            counted.inside = True
            calls[0] += 1
            try:
                if calls[0] == AT:
                    raise RuntimeError("the network failed, as it was told to")
                return call(self, *args, **kwargs)
            finally:
                counted.inside = False
        return call(self, *args, **kwargs)

    torch.nn.Module.__call__ = counted


if "FAULT" in os.environ:
    KIND, AT, FOLDER, *WHERE = os.environ["FAULT"].split(":")
    AT = int(AT)
    if not WHERE or "--multiprocessing-fork" in sys.orig_argv:
        if KIND == "teacher":
            sys.meta_path.insert(0, _Finder())
        else:
            io.open = builtins.open = faulty_open
        if KIND == "count":
            atexit.register(lambda: _open(os.environ["FAULT_COUNT"], "a").write(f"{_Faulty.writes}\n"))
