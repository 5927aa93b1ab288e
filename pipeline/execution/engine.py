"""What both engines do: a function of many tasks, results in the order of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Runs tasks. Neither the number of workers nor the engine changes a result."""

    @property
    def workers(self) -> int:
        """Processes that work side by side."""

    def run_tasks(
        self, function: Callable[[Task], Result], tasks: Sequence[Task], *, resident: bool = False
    ) -> Iterator[Result]:
        """`function` of every task, in order, whoever finishes first; few tasks are under way at a time.

        Args:
            function: picklable; must not depend on anything but its task.
            resident: it holds a network: loaded once where it runs, and busy on all of its cores or its GPU.

        Raises:
            Exception: whatever `function` raised first in task order; tasks not yet started are dropped.
            WorkerDied: a process ended in the middle of its work.
        """
