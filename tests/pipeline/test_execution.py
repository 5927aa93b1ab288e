import operator
import os
from functools import partial

import pytest

from pipeline.execution import run_tasks, worker_count


def test_results_come_in_the_order_of_the_tasks():
    tasks = list(range(9))
    assert list(run_tasks(partial(operator.mul, 3), tasks, 1)) == [3 * task for task in tasks]
    assert list(run_tasks(partial(operator.mul, 3), tasks, 2)) == [3 * task for task in tasks]


def test_the_first_failure_is_raised_and_later_tasks_are_dropped(tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="there"):
        list(run_tasks(os.mkdir, [tmp_path / "there", *(tmp_path / f"{i}" for i in range(40))], 2))
    assert len(list(tmp_path.iterdir())) < 10


def test_one_worker_or_one_task_stays_in_this_process():
    assert list(run_tasks(lambda task: os.getpid(), [1, 2], 1)) == [os.getpid()] * 2
    assert list(run_tasks(lambda task: os.getpid(), [1], 8)) == [os.getpid()]
    assert list(run_tasks(len, [], 4)) == []


def test_zero_workers_are_one_per_core():
    assert worker_count(0) == len(os.sched_getaffinity(0)) and worker_count(3) == 3
