"""SIGTERM: commands end within five seconds with 143, whatever they are at, and leave nothing unfinished.

`python benchmarks/reliability.py --stages commands` sends it to every command; here are the moments that differ.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.termination import EXIT_CODE, terminable
from tests.stages.test_train import project as training_project

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 5


def environment(**more):
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def stopped(command, folder, **more):
    """(seconds from SIGTERM, which the command gets a moment after it prints "now", to its end; exit code; stderr)."""
    running = subprocess.Popen(
        command, cwd=folder, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout.readline() == "now\n"
    time.sleep(0.3)
    begun = time.monotonic()
    running.terminate()
    _, told = running.communicate(timeout=60)
    return time.monotonic() - begun, running.returncode, told


DEAF = """
import hashlib
from stages.termination import terminable
with terminable():
    print("now", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # one call of minutes
"""
SLOW = """
import time
from stages import termination
termination._PATIENCE_S = 0.5
with termination.terminable():
    try:
        print("now", flush=True)
        time.sleep(60)
    finally:
        time.sleep(60)
"""
SWALLOWING = """
import time
from stages import termination
termination._PATIENCE_S = 0.5
with termination.terminable():
    print("now", flush=True)
    try:
        time.sleep(60)
    except BaseException:
        pass
    time.sleep(60)
"""


@pytest.mark.parametrize("program", [DEAF, SLOW, SWALLOWING], ids=["deaf", "slow", "swallowing"])
def test_what_does_not_end_by_itself_is_ended(tmp_path, program):
    seconds, code, told = stopped([sys.executable, "-c", program], tmp_path)
    assert 0.4 < seconds < LIMIT_S and code == EXIT_CODE
    assert told.startswith("Stopped by SIGTERM.") and "Traceback" not in told


FORKING = """
import os, signal, time
from stages import termination
termination._PATIENCE_S = 0.5
with termination.terminable():
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))  # heard by Python, as the parent's is
        time.sleep(60)
    time.sleep(0.5)
    os.kill(child, signal.SIGTERM)
    print("code", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    time.sleep(1)
print("on its way")
"""


def test_what_a_forked_process_hears_is_not_for_its_parent(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKING], env=environment(), capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines() == ["code 7", "on its way"]


SHARING = """
import os, subprocess, sys, time
from stages.termination import terminable
with terminable():
    if "FELLOW" in os.environ:
        print("now", flush=True)
    else:
        subprocess.Popen([sys.executable, *sys.argv], env={**os.environ, "FELLOW": "1"})
    time.sleep(60)
"""


def test_processes_that_share_the_work_end_together(tmp_path):
    (tmp_path / "program.py").write_text(SHARING)
    seconds, code, told = stopped([sys.executable, "program.py", "train"], tmp_path)  # when both have closed stderr
    assert seconds < LIMIT_S and code == EXIT_CODE and told.count("Stopped by SIGTERM.") == 2


def test_the_block_leaves_signals_as_they_were():
    before = signal.getsignal(signal.SIGTERM)
    with terminable():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize(
    "fault",
    [{"on": "import", "at": 1, "module": "torch.nn.functional"}, {"on": "call", "at": 1}],
    ids=["while torch is imported", "while the network learns"],
)
def test_training_stops_at_any_moment(tmp_path, fault):
    root, mark = training_project(tmp_path / "project"), tmp_path / "mark"
    fault = {"kind": "term", "worker": False, "folder": str(root), "mark": str(mark), **fault}
    layer = f"{ROOT / 'tests/faults/site'}{os.pathsep}{ROOT}"
    command = [sys.executable, "-c", "from stages.cli import main; main()", "--quiet", "train"]
    more = {"PYTHONPATH": layer, "FAULT": json.dumps(fault)}
    done = subprocess.run(
        command, cwd=root, env=environment(**more), capture_output=True, text=True, timeout=60, check=False
    )
    assert time.monotonic() - float(mark.read_text()) < LIMIT_S
    assert done.returncode == EXIT_CODE and done.stderr.splitlines()[-1].startswith("Stopped by SIGTERM."), done.stderr
    assert not (root / "models").exists() and not (root / "metrics").exists() and not (root / "plots/train").exists()
    assert not [path for path in (root / "data").rglob(".*") if path.is_file()]
