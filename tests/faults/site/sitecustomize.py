"""Faults put into every Python process that starts with this folder on its path and FAULT in its environment.

FAULT is JSON: `kind`, `on` (what is counted), `at` (when the fault strikes, from 1), `worker` (in worker processes instead of the main one),
`folder` (the project) and `mark` (a file that gets the moment of the strike, in seconds of the monotonic clock). Counted, by each
process for itself:

- write: a write to a file below the folder, or a renaming there
- answer: something that a worker process hands over to its parent
- call: a network's call
- import: the import of the module `module`

Kinds: `error` (an I/O error), `full` (no space from then on), `short` (half of what was asked is written, from then on), `kill`, `term` (the signals
to the process itself), `hang`, `raise` (a network's own error), and `count`, which appends the events to the file instead: w, a, c, in
capitals for a worker's.
"""

import builtins
import errno
import io
import json
import multiprocessing.queues
import os
import shutil
import signal
import sys
import time

_open, _renamings = io.open, {"rename": os.rename, "replace": os.replace}


class _Events:
    """How many of each there were in this process, and the fault."""

    def __init__(self, fault):
        self.fault, self.counts = fault, {}
        self.worker = "--multiprocessing-fork" in sys.orig_argv
        self.struck = False

    def forked(self):
        """A forked process is a worker."""
        self.worker, self.counts = True, {}

    def happens(self, event, file=None, renaming=False):
        """Count an event; the fault strikes if its turn has come. Whether it goes on from now on."""
        self.counts[event] = self.counts.get(event, 0) + 1
        kind = self.fault["kind"]
        if kind == "count":
            self.note(event[0].upper() if self.worker else event[0])
            return False
        if event != self.fault["on"] or self.worker != self.fault["worker"]:
            return False
        turn = self.counts[event] - self.fault["at"]
        lasting = kind in ("full", "short")
        if turn < 0 or (turn > 0 and not lasting) or (lasting and renaming):
            return False
        if not self.struck:
            self.struck = True
            self.note(f"{time.monotonic()}\n")
        if kind == "error":
            raise OSError(errno.EIO, os.strerror(errno.EIO), file)
        if kind == "raise":
            raise RuntimeError("the network failed, as it was told to")
        if kind in ("kill", "term"):
            os.kill(os.getpid(), signal.SIGKILL if kind == "kill" else signal.SIGTERM)
        elif kind == "hang":
            time.sleep(3600)
        return True

    def note(self, text):
        """Append to the mark."""
        mark = os.open(self.fault["mark"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(mark, text.encode())
        os.close(mark)

    def below(self, file):
        """Whether a file belongs to the project."""
        return not isinstance(file, int) and os.path.abspath(os.fsdecode(file)).startswith(self.fault["folder"])


class _Faulty(io.FileIO):
    """A file whose writes are counted."""

    def write(self, data, /):
        """As FileIO's, with the fault when its turn comes."""
        goes_on = EVENTS.happens("write", self.name)
        if goes_on and EVENTS.fault["kind"] == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
        if goes_on and EVENTS.fault["kind"] == "short" and len(data) > 1:
            return super().write(memoryview(data).cast("B")[: len(data) // 2])
        return super().write(data)


def faulty_open(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
    """As open, counting what is written below the folder."""
    if not set(mode) & set("wax+") or not EVENTS.below(file):
        return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    raw = _Faulty(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    if buffering == 0:
        return raw
    kind = io.BufferedRandom if "+" in mode else io.BufferedWriter
    buffered = kind(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)


def faulty_renaming(name):
    """As os.rename or os.replace, counted below the folder."""

    def renamed(source, target, **places):
        if EVENTS.below(source):
            EVENTS.happens("write", source, renaming=True)
        return _renamings[name](source, target, **places)

    return renamed


def counted_put(put):
    """As a queue's put, counting what workers hand over."""

    def counted(self, item, *more, **how):
        if EVENTS.worker:
            EVENTS.happens("answer")
        return put(self, item, *more, **how)

    return counted


class _Finder:
    """Told when a module is imported."""

    def __init__(self, module, then, before=False):
        self.module, self.then, self.before = module, then, before

    def find_spec(self, name, path=None, target=None):
        """Let the others find the module, then do what is to be done."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        if self.before:
            self.then(None)
            return None
        from importlib.util import find_spec

        spec = find_spec(name)
        run = spec.loader.exec_module

        def armed(module):
            run(module)
            self.then(module)

        spec.loader.exec_module = armed
        return spec


def count_calls(module):
    """Count the calls of networks, not those of their parts."""
    call, inside = module.Module.__call__, []

    def counted(self, *args, **kwargs):
        if inside:
            return call(self, *args, **kwargs)
        inside.append(self)
        try:
            EVENTS.happens("call")
            return call(self, *args, **kwargs)
        finally:
            inside.clear()

    module.Module.__call__ = counted


if "FAULT" in os.environ:
    EVENTS = _Events(json.loads(os.environ["FAULT"]))
    os.register_at_fork(after_in_child=EVENTS.forked)
    io.open = builtins.open = faulty_open
    os.rename, os.replace = faulty_renaming("rename"), faulty_renaming("replace")
    shutil._USE_CP_SENDFILE = False  # copies are written, not passed by the system from file to file
    for queue in (multiprocessing.queues.Queue, multiprocessing.queues.SimpleQueue):
        queue.put = counted_put(queue.put)
    sys.meta_path.insert(0, _Finder("torch.nn.modules.module", count_calls))
    if EVENTS.fault["on"] == "import":
        sys.meta_path.insert(0, _Finder(EVENTS.fault["module"], lambda _: EVENTS.happens("import"), before=True))
