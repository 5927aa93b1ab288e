"""What an archive may hold: plain files under relative paths, each once, within limits of size, count, ratio and depth."""

from __future__ import annotations

import re
from collections import defaultdict

from pipeline.errors import DataError
from pipeline.params import ArchiveLimits

_CONTROL = re.compile(r"[\x00-\x1f]")
_DRIVE = re.compile(r"^[A-Za-z]:")
FOLDER_ICON = "Icon\r"
"""The file, with a carriage return in its name, that macOS keeps a folder's icon in; nobody reads it."""
_RATIO_FROM = 100 << 20
"""Unpacked bytes below which an archive may be packed as tightly as it likes."""


class Guard:
    """Counts what one archive on disk holds, archives inside it included, and refuses what it must not.

    Archives are never unpacked to paths of their own making; a path that tries to leave the archive is refused all
    the same, since whoever made it meant harm or packed the wrong folder.

    Args:
        archive: how to call the archive in errors.
        packed: its bytes on disk.
        limits: what passes.
    """

    def __init__(self, archive: str, packed: int, limits: ArchiveLimits) -> None:
        self._archive = archive
        self._packed = packed
        self._limits = limits
        self._files = 0
        self._bytes = 0
        self._seen: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)

    def admit(self, chain: tuple[str, ...], path: str, size: int, *, is_archive: bool = False) -> None:
        """Count one file.

        Args:
            chain: names of the archives around it, outermost first.
            path: as the innermost one tells it.
            size: declared bytes, which no reader goes beyond.
            is_archive: it is read as an archive itself, not into memory.

        Raises:
            DataError: it must not be there.
        """
        name, limits = f"{self._archive}: {'!/'.join((*chain[1:], path))!r}", self._limits
        if why := _unsafe(path):
            raise DataError(f"{name} {why}. Pack the archive again with relative paths")
        seen = self._seen[chain]
        if path in seen:
            raise DataError(f"{name} stands in it twice. Pack the archive again")
        seen.add(path)
        self._files += 1
        self._bytes += size
        if is_archive and len(chain) >= limits.max_depth:
            raise DataError(
                f"{name} lies {len(chain) + 1} archives deep, archives.max_depth is {limits.max_depth}. Unpack it, or raise the limit"
            )
        if not is_archive and size > limits.max_file_mb << 20:
            raise DataError(
                f"{name} has {size:,} bytes, archives.max_file_mb is {limits.max_file_mb}. Get the archive anew, or raise the limit"
            )
        if self._files > limits.max_files:
            raise DataError(
                f"{self._archive}: more than {limits.max_files:,} files, which is archives.max_files. Raise it if that is right"
            )
        if self._bytes > limits.max_total_gb << 30:
            raise DataError(
                f"{self._archive}: more than {limits.max_total_gb} GB unpacked, which is archives.max_total_gb. Raise it if "
                "that is right"
            )
        if self._bytes > _RATIO_FROM and self._bytes > limits.max_ratio * self._packed:
            raise DataError(
                f"{self._archive}: {self._packed:,} bytes unpack to more than {limits.max_ratio} times as many, which is "
                "archives.max_ratio: a zip bomb, or raise the limit"
            )


def _unsafe(path: str) -> str | None:
    """Why a path is refused, or None."""
    if not path or _CONTROL.search(path.removesuffix(FOLDER_ICON)):
        return "is a path with control characters"
    plain = path.replace("\\", "/")
    if plain.startswith("/") or _DRIVE.match(plain):
        return "is an absolute path"
    if ".." in plain.split("/"):
        return "leads out of the archive"
    return None
