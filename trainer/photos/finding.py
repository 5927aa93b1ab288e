"""The photos that were asked for: files, folders and patterns, each with a name that no other one has."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.datasets.lists import IMAGE_ENDINGS
from pipeline.errors import ParamsError

ENDINGS = (*IMAGE_ENDINGS, ".tif", ".tiff")
"""Of the files that are taken from a folder; a file that is named is taken whatever it is called."""

_LONGEST = 200
"""Bytes of a stem: with endings and what a file is called before it is whole it stays below the 255 that file systems take."""


@dataclass(frozen=True)
class Photo:
    """A photo's file.

    Attributes:
        path: the file.
        name: its path below `Photos.root` without the ending; what is written of it is called so.
    """

    path: Path
    name: str


@dataclass(frozen=True)
class Photos:
    """All that were asked for, by name.

    Attributes:
        root: the deepest folder that holds all that was asked for.
        others: files of folders that are no photos by their ending.
    """

    root: Path
    photos: tuple[Photo, ...]
    others: int


def find_photos(inputs: Sequence[str], but: Path) -> Photos:
    """The photos of files, folders (with those below them) and patterns such as `album/**/*.jpg`, each once.

    Hidden files and folders are passed over, unless they are named. Photos of one folder that share a name but for the ending
    keep their endings.

    Args:
        inputs: as they stand on the command line.
        but: a folder that is not looked into: what is made of the photos may lie below them.

    Raises:
        ParamsError: there is no such file or folder, a pattern meets nothing, or no photo is found.
    """
    roots: list[Path] = []
    files: dict[Path, Path] = {}
    others = 0
    for given in inputs:
        for path in _meant(given):
            roots.append(path if path.is_dir() else path.parent)
            for file in _below(path, _plain(but)) if path.is_dir() else [path]:
                if file == path or file.suffix.lower() in ENDINGS:
                    files.setdefault(file.resolve(), file)
                else:
                    others += 1
    if not files:
        told = f"; {others} files have other endings than {' '.join(ENDINGS)}" if others else ""
        raise ParamsError(f"{' '.join(inputs)}: no photos there{told}. Give files, folders, or quoted patterns")
    root = Path(os.path.commonpath(roots))
    return Photos(root, tuple(_named(sorted(files.values()), root)), others)


def _meant(given: str) -> list[Path]:
    """The files and folders that an argument stands for, absolute."""
    path = Path(given).expanduser()
    if path.exists():
        return [_plain(path)]
    if not glob.has_magic(given):
        raise ParamsError(f"{given}: no such file or folder")
    found = sorted(glob.glob(str(path), recursive=True))
    if not found:
        raise ParamsError(f"{given}: no file or folder meets this pattern")
    return [_plain(Path(one)) for one in found]


def _plain(path: Path) -> Path:
    """The absolute path without `..`, so that no name leads out of the folder that results are written to."""
    return Path(os.path.abspath(path))


def _below(folder: Path, but: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and Path(where, name) != but)
        yield from (Path(where, name) for name in sorted(names) if not name.startswith("."))


def _named(files: Sequence[Path], root: Path) -> Iterator[Photo]:
    """Photos with unique names, also on file systems that take `A` and `a` for one."""
    taken: set[str] = set()
    for file in files:
        relative = file.relative_to(root)
        folder = relative.parent
        name = (folder / _short(relative.stem)).as_posix()
        if name.casefold() in taken:
            name = (folder / _short(relative.name)).as_posix()
        number, whole = 1, name
        while name.casefold() in taken:
            number += 1
            name = f"{whole}~{number}"
        taken.add(name.casefold())
        yield Photo(file, name)


def _short(stem: str) -> str:
    """The stem, cut and told apart by a hash where its files' names would be longer than file systems take."""
    data = stem.encode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST:
        return stem
    return f"{data[: _LONGEST - 9].decode('utf-8', 'ignore')}~{hashlib.sha256(data).hexdigest()[:8]}"
