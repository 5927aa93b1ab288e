"""A local source read where it lies, as the readers will see it once it has been brought."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from pipeline.sources.archives import Archives
from pipeline.sources.containers import Container, OpenScratch, is_archive, told_name
from pipeline.sources.download import UNPACKED, local_files
from pipeline.sources.guard import Guard


class LooseFiles:
    """Loose files as the one archive that they become."""

    def __init__(self, source: Path, files: Sequence[Path]) -> None:
        self._paths = {told_name(path.relative_to(source).as_posix()): path for path in files}

    def files(self) -> Iterator[tuple[str, int, int]]:
        """Path and size of every file, in the archive's order; no checksum, which would cost reading all of them."""
        return ((name, path.stat().st_size, 0) for name, path in self._paths.items())

    def read(self, path: str) -> bytes:
        """A file's bytes."""
        return self._paths[path].read_bytes()

    def inner(self, path: str, scratch: OpenScratch) -> IO[bytes]:
        """A file, opened."""
        return self._paths[path].open("rb")

    def places(self) -> None:
        """None: its files do not lie in one."""


class LocalSource(Archives):
    """A folder of archives and loose files, or one archive.

    Raises:
        DataError: there is nothing of the kind.
    """

    def __init__(self, source: Path) -> None:
        if source.is_file() and is_archive(source.name):
            archives, self._loose = [source], list[Path]()
            super().__init__(source.parent)
        else:
            archives, self._loose = local_files(source)
            super().__init__(source)
        self._archives = [path.name for path in archives]

    def _names(self) -> list[str]:
        return sorted([*self._archives, *([UNPACKED] if self._loose else [])])

    def _opened(self, name: str, scratch: OpenScratch) -> Container:
        if name == UNPACKED and self._loose:
            return LooseFiles(self.folder, self._loose)
        return super()._opened(name, scratch)

    def _guard(self, name: str) -> Guard | None:
        """None for loose files: they are the user's own, and nothing is unpacked."""
        return None if name == UNPACKED and self._loose else super()._guard(name)

    def _beside(self, name: str) -> Path | None:
        """Nothing: loose files are in the archive that they become."""
        return None
