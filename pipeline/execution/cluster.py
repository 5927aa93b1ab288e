"""Ray: the same tasks on the machines of a cluster, networks in actors that load theirs once.

Tasks name files, and only their names travel: the project's folder lies under the same path on every machine, on a file system
that they share, or a Courier carries the files. The code that runs is the driver's, which sends it along; Python and the packages
must be the same.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2

from pipeline.errors import DataError, ParamsError, WorkerDied
from pipeline.execution.engine import NO_FILES, Files, Result, Task

_PACKAGE = Path(__file__).resolve().parents[1]
_LOCAL_STORE = 100 * 2**20
"""Bytes of Ray's object store where it is started here: it holds paths and reports, no images."""

_TRIES = 3
"""Further tries of a task whose process died."""

_PATIENCE_S = 10

_NETWORK_CORES = 4
"""Cores of a network without a GPU: the most that one takes."""


class RayCluster:
    """Tasks on the cores of a Ray cluster, resident functions in actors: one per GPU, or one per four cores where there is none.

    Args:
        workers: processes, where Ray is started here; a cluster that is there already has as many as it has cores.
        address: of that cluster, as ray.init takes it; None starts Ray on this machine, for this process alone.
        folder_shared: its machines see this process's folder, and work there.

    Raises:
        ParamsError: ray is not installed.
    """

    def __init__(self, workers: int, address: str | None = None, *, folder_shared: bool = True) -> None:
        try:
            import ray
        except ImportError as error:
            raise ParamsError(
                "executor.backend: ray is not installed. Run pip install 'human-parsing-pipeline[ray]', or set it to local"
            ) from error
        self._ray = ray
        self._asked = workers
        self._address = address
        self._folder_shared = folder_shared

    @property
    def workers(self) -> int:
        """Cores of the cluster; what was asked until it is needed."""
        return int(self._ray.cluster_resources().get("CPU", 1)) if self._ray.is_initialized() else self._asked

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        resident: bool = False,
        files: Files = NO_FILES,
    ) -> Iterator[Result]:
        """As of Engine; a task whose process or machine died is tried three more times elsewhere.

        Raises:
            ParamsError: there is no cluster at the address.
        """
        if not tasks:
            return
        self._begin()
        results = self._by_actors(function, tasks) if resident else self._by_tasks(function, tasks)
        try:
            yield from results
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, Exception):
                raise error.cause from None
            raise
        except self._ray.exceptions.RayError as error:
            raise WorkerDied(
                f"Ray: {_first_line(error)}. Run the command again, it goes on with what is not finished"
            ) from error
        finally:
            results.close()

    def _begin(self) -> None:
        if self._ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet = {"logging_level": "error", "log_to_driver": False}
        if self._address is None:
            self._ray.init(
                "local", num_cpus=self._asked, include_dashboard=False, object_store_memory=_LOCAL_STORE, **quiet
            )
            return
        try:
            _knock(self._address)
            self._ray.init(self._address, runtime_env={"py_modules": [str(_PACKAGE)]}, **quiet)
        except (OSError, RuntimeError, ValueError) as error:
            raise ParamsError(
                f"executor.address: no Ray cluster answers at {self._address!r} ({_first_line(error)}). Start one with "
                "`ray start --head`, give RAY_AUTH_TOKEN where it asks for one, or set the address to null to start Ray on this machine"
            ) from error

    def _by_tasks(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Generator[Result, None, None]:
        remote = self._ray.remote(_call).options(num_cpus=1, max_retries=_TRIES)
        shared, folder = self._ray.put(pickle.dumps(function)), self._folder()
        most = 2 * self.workers
        running: deque[Any] = deque()
        try:
            for task in tasks:
                running.append(remote.remote(shared, folder, task))
                if len(running) > most:
                    yield self._ray.get(running.popleft())
            while running:
                yield self._ray.get(running.popleft())
        finally:
            for reference in running:
                self._ray.cancel(reference)

    def _by_actors(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Generator[Result, None, None]:
        from ray.util import ActorPool

        places, needs = self._places()
        actor = self._ray.remote(_Resident).options(max_restarts=_TRIES, max_task_retries=_TRIES, **needs)
        shared, folder = self._ray.put(pickle.dumps(function)), self._folder()
        actors = [actor.remote() for _ in range(min(places, len(tasks)))]
        try:
            yield from ActorPool(actors).map(lambda one, task: one.call.remote(shared, folder, task), tasks)
        finally:
            for one in actors:
                self._ray.kill(one)

    def _folder(self) -> str | None:
        """Where tasks work; None is nowhere that this process knows of."""
        return str(Path.cwd()) if self._folder_shared else None

    def _places(self) -> tuple[int, dict[str, int]]:
        """How many networks work side by side, and what each of them takes."""
        machines = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        gpus = sum(int(machine.get("GPU", 0)) for machine in machines)
        if gpus:
            return gpus, {"num_gpus": 1}
        cores = [int(machine.get("CPU", 0)) for machine in machines]
        needed = min(_NETWORK_CORES, max(cores))
        return sum(count // needed for count in cores), {"num_cpus": needed}


def _knock(address: str) -> None:
    """Refuse an address where nobody listens: Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_PATIENCE_S).close()


def _call(pickled: bytes, folder: str | None, task: Any) -> Any:
    _enter(folder)
    return pickle.loads(pickled)(task)


class _Resident:
    """An actor that unpacks a function, and with it loads its network, at the first task."""

    def __init__(self) -> None:
        self._function: Callable[[Any], Any] | None = None

    def call(self, pickled: bytes, folder: str | None, task: Any) -> Any:
        """The function of a task."""
        _enter(folder)
        if self._function is None:
            self._function = pickle.loads(pickled)
        return self._function(task)


def _enter(folder: str | None) -> None:
    """Work where the driver works: paths may be relative to it."""
    cv2.setNumThreads(1)
    if folder is None:
        return
    try:
        os.chdir(folder)
    except OSError as error:
        raise DataError(
            f"{folder}: not there on {os.uname().nodename}, a machine of the Ray cluster ({error.strerror}). Put the project "
            "on a file system that all machines share, under the same path, or set executor.storage to a store that they reach"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
