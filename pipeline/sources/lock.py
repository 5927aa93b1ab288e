"""The lock of downloaded files: size and SHA-256 of each as it first came, enforced from then on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from filelock import FileLock

from pipeline.errors import DataError
from pipeline.shards.write import write_whole

_HEADER = """\
# Written by `hpp download`, kept in git: size and SHA-256 of every file as it first came. A file that comes otherwise later is
# refused. Delete an entry to accept a new version of its file.
"""


@dataclass(frozen=True)
class Locked:
    """What a file was when it first came."""

    bytes: int
    sha256: str


class SourceLock:
    """The lock file; entries are data set -> file name -> size and hash.

    Args:
        path: the file, in git.
        guard: a scratch file, held while the lock is changed, so that two downloads at once lose nothing.
    """

    def __init__(self, path: Path, guard: Path) -> None:
        self.path = path
        self._guard = guard

    def get(self, dataset: str, name: str) -> Locked | None:
        """The entry of a file.

        Raises:
            DataError: the lock file is damaged.
        """
        entry = self._read().get(dataset, {}).get(name)
        return None if entry is None else Locked(entry["bytes"], entry["sha256"])

    def record(self, dataset: str, name: str, locked: Locked) -> None:
        """Add a file; one that has an entry keeps it.

        Raises:
            DataError: the lock file is damaged.
        """
        self._guard.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._guard):
            content = self._read()
            if name in content.get(dataset, {}):
                return
            content.setdefault(dataset, {})[name] = {"bytes": locked.bytes, "sha256": locked.sha256}
            text = _HEADER + yaml.safe_dump(content, sort_keys=True, allow_unicode=True)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, text.encode())

    def _read(self) -> dict[str, dict[str, dict]]:
        if not self.path.exists():
            return {}
        try:
            content = yaml.safe_load(self.path.read_text(encoding="utf-8")) or {}
            for files in content.values():
                for entry in files.values():
                    Locked(int(entry["bytes"]), str(entry["sha256"]))
        except (
            yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError,
        ) as error:  # fmt: skip
            raise DataError(f"{self.path}: not readable as a lock of sources. Restore it from git") from error
        return content
