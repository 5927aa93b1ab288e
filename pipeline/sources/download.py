"""Bring a source's archives into one folder, verified, whole or not at all."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError
from pipeline.shards.manifest import sha256_of

FIXED_DATE = (1980, 1, 1, 0, 0, 0)
_UNPACKED = "unpacked.zip"


@dataclass(frozen=True)
class VerifiedFile:
    """One archive in place: its size, its SHA-256, and whether that was known beforehand."""

    name: str
    bytes: int
    sha256: str
    checksum: str
    """"verified" against a known SHA-256, or "recorded" where none was known."""


def bring_local(source: Path, folder: Path, progress: Callable[[int], None] = lambda done: None) -> None:
    """Copy the archives of a local folder; loose files and folders become one stored zip.

    Args:
        source: a folder that holds zip archives, or the unpacked data set.
        folder: an empty folder to fill.
        progress: told the bytes copied.

    Raises:
        DataError: the source is missing or empty.
    """
    if not source.is_dir():
        raise DataError(f"{source}: no such folder. Set the data set's `source` to the folder that holds its archives")
    entries = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    archives = [path for path in entries if path.is_file() and path.suffix.lower() == ".zip"]
    loose = sorted(
        path
        for entry in entries
        if entry not in archives
        for path in ([entry] if entry.is_file() else entry.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )
    if not archives and not loose:
        raise DataError(f"{source}: empty. Put the data set's archives there")
    for archive in archives:
        shutil.copyfile(archive, folder / archive.name)
        progress(archive.stat().st_size)
    if loose:
        if (folder / _UNPACKED).exists():
            raise DataError(
                f"{source / _UNPACKED}: that name is kept for the loose files beside it. Rename the archive"
            )
        _pack(source, loose, folder / _UNPACKED, progress)


def _pack(source: Path, files: list[Path], archive: Path, progress: Callable[[int], None]) -> None:
    """A stored zip with fixed dates: one file instead of fifty thousand, the same bytes for the same files."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        for path in files:
            info = zipfile.ZipInfo(path.relative_to(source).as_posix(), FIXED_DATE)
            info.external_attr = 0o644 << 16
            with path.open("rb") as file, target.open(info, "w", force_zip64=path.stat().st_size >= 1 << 31) as member:
                shutil.copyfileobj(file, member)
            progress(path.stat().st_size)


def verify(folder: Path, sha256: Mapping[str, str]) -> list[VerifiedFile]:
    """Check every archive of a folder: whole, and with the SHA-256 that is known for it.

    Raises:
        DataError: an archive is missing, not whole, or has another checksum.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for name in sorted(sha256):
        if not (folder / name).is_file():
            raise DataError(
                f"{name}: the source lacks this archive, which params.yaml gives a SHA-256 for. Place it there"
            )
    verified = []
    for path in files:
        if path.suffix.lower() == ".zip" and not zipfile.is_zipfile(path):
            raise DataError(
                f"{path.name}: not a whole zip archive ({path.stat().st_size} bytes, no directory at its end). Get it again"
            )
        found, known = sha256_of(path), sha256.get(path.name)
        if known is not None and found != known.lower():
            raise DataError(
                f"{path.name}: SHA-256 is {found}, expected {known}. Get the archive again, or mend params.yaml"
            )
        status = "recorded" if known is None else "verified"
        verified.append(VerifiedFile(path.name, path.stat().st_size, found, status))
    return verified
