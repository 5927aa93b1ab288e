"""Tasks on machines that share nothing with this one but a storage: their files go there and come back with them."""

from __future__ import annotations

import os
import pickle
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import DataError, ParamsError
from pipeline.execution.engine import NO_FILES, Engine, Files, Result, Task
from pipeline.execution.mirror import Mirror
from pipeline.execution.storage import Storage

_AT_ONCE = 8
"""Files that are looked up in the storage, stored or brought side by side."""


class Courier:
    """Another engine's processes, each in a mirror of the project of its own; see Mirror.

    Args:
        engine: its processes must not be this one, which keeps its folder.
        storage: that all of its machines reach.
    """

    def __init__(self, engine: Engine, storage: Storage) -> None:
        self._engine, self._storage = engine, storage

    @property
    def workers(self) -> int:
        """Those of the engine."""
        return self._engine.workers

    def run_tasks(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        resident: bool = False,
        files: Files = NO_FILES,
    ) -> Iterator[Result]:
        """As of Engine; what a task wrote lies here before its result is told.

        Raises:
            ParamsError: a path is not relative to the folder where this process works, or the storage cannot be written.
            DataError: a file is missing or damaged.
        """
        if not tasks:
            return
        shared = self._stored(dict.fromkeys([*_files_of(files.shared), *_kept_files(files.kept)], ""))
        stored = self._stored({path: known for task in tasks for path, known in files.inputs(task).items()})
        parcels = [
            _Parcel(
                task,
                {_name(path): stored[_name(path)] for path in files.inputs(task)},
                tuple(map(_name, files.outputs(task))),
            )
            for task in tasks
        ]
        away = _Away(
            self._storage.url,
            uuid.uuid4().hex,
            tuple(shared.items()),
            tuple(map(_name, files.kept)),
            None if files.unpacked is None else _name(files.unpacked),
            pickle.dumps(function),
        )
        yield from self._brought(self._engine.run_tasks(away, parcels, resident=resident))

    def _brought(self, finished: Iterator[_Done]) -> Iterator[Any]:
        """The results of finished tasks in order, each when its files are here; meanwhile those of later tasks come, too."""
        coming: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(_AT_ONCE, "storage") as threads:
            for done in finished:
                coming.append(threads.submit(self._bring, done))
                while coming and (coming[0].done() or len(coming) > _AT_ONCE):
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    def _bring(self, done: _Done) -> Any:
        for name, sha256 in done.made.items():
            self._storage.bring(sha256, Path(name))
        return done.result

    def _stored(self, files: Mapping[Path, str]) -> dict[str, str]:
        """Name -> SHA-256 of files that are in the storage now."""
        with ThreadPoolExecutor(_AT_ONCE, "storage") as threads:
            return dict(threads.map(self._store, files.items()))

    def _store(self, file: tuple[Path, str]) -> tuple[str, str]:
        path, known = file
        try:
            return _name(path), self._storage.put(path, known)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}). Run the stage that makes it again") from error


def _files_of(paths: Iterable[Path]) -> Iterator[Path]:
    """The files among the paths, and those in the folders among them; what is not there has none."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file())
        elif path.exists():
            yield path


def _kept_files(folders: Iterable[Path]) -> Iterator[Path]:
    """The files in the folders that are finished: others may be writing theirs, under hidden names."""
    return (path for path in _files_of(folders) if not path.name.startswith("."))


def _name(path: Path) -> str:
    """What a file is called on every machine.

    Raises:
        ParamsError: it lies elsewhere than in the folder where this process works.
    """
    if path.is_absolute() or ".." in path.parts:
        raise ParamsError(
            f"executor.storage: {path} is not told relative to {Path.cwd()}, and other machines have no such path. Run the "
            "command in the project's folder, without --root"
        )
    return path.as_posix()


@dataclass(frozen=True)
class _Parcel:
    """A task, name -> SHA-256 of its inputs, and the names of its outputs."""

    task: Any
    inputs: Mapping[str, str]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class _Done:
    """A task's result, and name -> SHA-256 of what it made, in the order in which it is to appear."""

    result: Any
    made: Mapping[str, str]


@dataclass
class _Away:
    """A function that works in the mirror of its process.

    Attributes:
        url: of the storage.
        run: tells one call of the engine from another.
        shared: names and SHA-256 of files.
        kept, unpacked: as of Files.
        pickled: the function; unpacked in the mirror, where the files are that it loads.
    """

    url: str
    run: str
    shared: tuple[tuple[str, str], ...]
    kept: tuple[str, ...]
    unpacked: str | None
    pickled: bytes
    function: Callable[[Any], Any] | None = None

    def __call__(self, parcel: _Parcel) -> _Done:
        """The function of the parcel's task."""
        mirror = _mirror(self.url, self.run, self.shared, self.unpacked)
        os.chdir(mirror.folder)
        try:
            mirror.bring(parcel.inputs)
            mirror.make_room(parcel.outputs)
            if self.function is None:
                self.function = pickle.loads(self.pickled)
            before = mirror.names_in(self.kept)
            result = self.function(parcel.task)
            added = sorted(mirror.names_in(self.kept) - before)
            return _Done(result, mirror.put([*added, *parcel.outputs]))
        finally:
            mirror.remove([*parcel.inputs, *parcel.outputs])


@lru_cache(maxsize=1)
def _mirror(url: str, run: str, shared: tuple[tuple[str, str], ...], unpacked: str | None) -> Mirror:
    """Each process makes one for a run, and the next one for the next."""
    return Mirror(Storage(url), dict(shared), unpacked)
