"""What all engines do: a function of many tasks, results in the order of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Files:
    """What tasks read and write, for an engine whose processes do not see the project's folder; see Courier.

    Attributes:
        shared: files, and folders with all that lies in them, that every task reads.
        kept: folders of files that never change; tasks find there what was kept, and add to it.
        unpacked: a folder that each machine may fill for itself, its processes together.
        inputs: of a task: path -> SHA-256, "" where it is not known.
        outputs: of a task: what it writes, in the order in which it appears.
    """

    shared: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    unpacked: Path | None = None
    inputs: Callable[[Any], Mapping[Path, str]] = lambda task: {}
    outputs: Callable[[Any], tuple[Path, ...]] = lambda task: ()


NO_FILES = Files()


class Engine(Protocol):
    """Runs tasks. Neither the number of workers nor the engine changes a result."""

    @property
    def workers(self) -> int:
        """Processes that work side by side."""

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        resident: bool = False,
        files: Files = NO_FILES,
    ) -> Iterator[Result]:
        """`function` of every task, in order, whoever finishes first; few tasks are under way at a time.

        Args:
            function: picklable; must not depend on anything but its task and `files`.
            resident: it holds a network: loaded once where it runs, and busy on all of its cores or its GPU.
            files: all that it reads and writes; where every process sees the project's folder nothing needs to be known of them.

        Raises:
            Exception: whatever `function` raised first in task order; tasks not yet started are dropped.
            WorkerDied: a process ended in the middle of its work.
        """
