import operator
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from pipeline.errors import WorkerDied
from pipeline.execution import LocalPool, worker_count
from pipeline.execution.local import _context


def test_results_come_in_the_order_of_the_tasks():
    tasks = list(range(9))
    assert list(LocalPool(1).run_tasks(partial(operator.mul, 3), tasks)) == [3 * task for task in tasks]
    assert list(LocalPool(2).run_tasks(partial(operator.mul, 3), tasks)) == [3 * task for task in tasks]


def test_the_first_failure_is_raised_and_later_tasks_are_dropped(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="there"):
        list(LocalPool(2).run_tasks(os.mkdir, [tmp_path / "there", *(tmp_path / f"{i}" for i in range(40))]))
    assert len(list(tmp_path.iterdir())) < 10


def test_one_worker_one_task_or_a_resident_function_stays_in_this_process():
    assert list(LocalPool(1).run_tasks(lambda task: os.getpid(), [1, 2])) == [os.getpid()] * 2
    assert list(LocalPool(8).run_tasks(lambda task: os.getpid(), [1])) == [os.getpid()]
    assert list(LocalPool(8).run_tasks(lambda task: os.getpid(), [1, 2], resident=True)) == [os.getpid()] * 2
    assert list(LocalPool(4).run_tasks(len, [])) == []


def test_zero_workers_are_one_per_core(monkeypatch):
    assert worker_count(0) == len(os.sched_getaffinity(0)) and worker_count(3) == 3
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS
    assert worker_count(0) == os.cpu_count() and worker_count(3) == 3


def test_a_worker_that_is_killed_is_told_in_one_line():
    with pytest.raises(WorkerDied, match=r"^a worker process was killed.* fewer executor\.workers take less memory$"):
        list(LocalPool(2).run_tasks(os._exit, [9, 9, 9]))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere workers are spawned")
def test_workers_are_forked_from_a_server_that_has_imported_what_defines_the_function(monkeypatch):
    parents = set(LocalPool(2).run_tasks(eval, ["__import__('os').getppid()"] * 4))
    assert len(parents) == 1 and parents != {os.getpid()}
    # of a partial: what defines the function, and what defines each thing that it is given
    context = _context(partial(eval, Fraction(1, 2)))
    assert forkserver._forkserver._preload_modules == ["builtins", "fractions"]  # type: ignore[attr-defined]
    assert context.get_start_method() == "forkserver"
    monkeypatch.setattr(tempfile, "tempdir", "/scratch/" + "long/" * 20)
    assert _context(abs).get_start_method() == "spawn"


def test_workers_have_the_environment_and_the_folder_of_now(tmp_path, monkeypatch):
    list(LocalPool(2).run_tasks(abs, [1, 2]))
    monkeypatch.setenv("HPP_TEST", "now")
    monkeypatch.chdir(tmp_path)
    asked = "__import__('os').environ.get('HPP_TEST'), __import__('os').getcwd()"
    assert set(LocalPool(2).run_tasks(eval, [asked] * 2)) == {("now", str(tmp_path))}
    monkeypatch.delenv("HPP_TEST")
    assert set(LocalPool(2).run_tasks(eval, [asked] * 2)) == {(None, str(tmp_path))}


def test_no_worker_imports_pandas_but_whoever_asks_for_a_frame_gets_it():
    converts = "str(__import__('pyarrow').array([1, 2]).type) + str('pandas' in __import__('sys').modules)"
    assert set(LocalPool(2).run_tasks(eval, [converts] * 4)) == {"int64False"}
    framed = "len(__import__('pyarrow').table({'a': [1, 2]}).to_pandas())"
    assert set(LocalPool(2).run_tasks(eval, [framed] * 4)) == {2}


PARENT = """
import os, sys, time
from pathlib import Path
from pipeline.execution import LocalPool
if __name__ == "__main__":
    results = LocalPool(2).run_tasks(eval, ["0"] * 2 + ["__import__('time').sleep(60)"] * 2)
    next(results)
    print("working", flush=True)
    time.sleep(60)
"""


def test_the_workers_of_a_killed_process_end(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    root = str(Path(__file__).resolve().parents[3])
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"working\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= 2
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
