"""A folder that stands for the project's in a process of another machine: what its tasks read lies there by the same names.

All of it lies in <temporary folder>/hpp-<user id>. What every task reads, such as a data set's archives, is brought once for all
processes of the machine; each has a name for it in its own mirror. What no living process uses is removed when the next one begins.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

from filelock import FileLock

from pipeline.errors import DataError
from pipeline.execution.storage import Storage

_HELD = ".held"
"""File of a mirror that its process has locked as long as it lives."""


class Mirror:
    """The folder of one process, filled with the files that all of its tasks read.

    Args:
        storage: where files come from.
        shared: name, relative to the project -> SHA-256.
        unpacked: a folder that the processes of this machine fill together.

    Raises:
        DataError: a file cannot be brought.
    """

    def __init__(self, storage: Storage, shared: Mapping[str, str], unpacked: str | None) -> None:
        self._storage = storage
        machine = _machine_folder()
        with FileLock(machine / "lock"):
            self.folder = Path(tempfile.mkdtemp(dir=_made(machine / "mirrors")))
            self._held = _hold(self.folder)
            for name, sha256 in shared.items():
                kept = machine / "objects" / sha256
                if not kept.exists():
                    storage.bring(sha256, kept)
                _link(kept, self.folder / name)
            _sweep(machine)
            if unpacked is not None:
                _made((self.folder / unpacked).parent)
                (self.folder / unpacked).symlink_to(_made(machine / "unpacked"))

    def bring(self, inputs: Mapping[str, str]) -> None:
        """Bring the files of one task: name -> SHA-256.

        Raises:
            DataError: one cannot be brought.
        """
        for name, sha256 in inputs.items():
            self._storage.bring(sha256, self.folder / name)

    def make_room(self, outputs: Iterable[str]) -> None:
        """Make the folders of files that a task is to write."""
        for name in outputs:
            _made((self.folder / name).parent)

    def names_in(self, folders: Iterable[str]) -> set[str]:
        """The files that lie in these folders."""
        files = (path for folder in folders for path in (self.folder / folder).rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix() for path in files}

    def put(self, names: Iterable[str]) -> dict[str, str]:
        """Store files; name -> SHA-256.

        Raises:
            ParamsError: the storage cannot be written.
        """
        return {name: self._storage.put(self.folder / name) for name in names}

    def remove(self, names: Iterable[str]) -> None:
        """Remove the files of a task that is done."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def _machine_folder() -> Path:
    """This user's folder on this machine.

    Raises:
        DataError: it is another one's.
    """
    folder = Path(tempfile.gettempdir()) / f"hpp-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
        raise DataError(f"{folder}: not a folder of this user on {os.uname().nodename}. Remove it, or set TMPDIR there")
    return folder


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _hold(mirror: Path) -> IO[bytes]:
    """Lock a mirror; the lock goes with the file that is returned, and with the process."""
    file = (mirror / _HELD).open("wb")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def _is_held(mirror: Path) -> bool:
    try:
        _hold(mirror).close()
    except BlockingIOError:
        return True
    return False


def _link(kept: Path, path: Path) -> None:
    """A second name for the file, or a copy of it where the file system has no such names."""
    _made(path.parent)
    try:
        os.link(kept, path)
    except OSError:
        shutil.copyfile(kept, path)


def _sweep(machine: Path) -> None:
    """Remove the mirrors of processes that have ended, and files that none of the others has a name for."""
    held = [mirror for mirror in (machine / "mirrors").iterdir() if not _removed(mirror)]
    for kept in _made(machine / "objects").iterdir():
        if kept.stat().st_nlink == 1:
            kept.unlink()
    if len(held) == 1:
        shutil.rmtree(machine / "unpacked", ignore_errors=True)


def _removed(mirror: Path) -> bool:
    """Whether a mirror was nobody's, and is gone."""
    if _is_held(mirror):
        return False
    shutil.rmtree(mirror, ignore_errors=True)
    return True
