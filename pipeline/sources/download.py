"""Bring a local source's archives into one folder, and verify what lies in such a folder."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError
from pipeline.shards.manifest import sha256_of
from pipeline.shards.write import file_aside
from pipeline.sources.containers import is_archive
from pipeline.sources.files import wrong_with
from pipeline.sources.tar import FIXED_DATE

UNPACKED = "unpacked.zip"
"""The one archive that loose files become."""


@dataclass(frozen=True)
class VerifiedFile:
    """One archive in place: its size, its SHA-256, and whether that was known beforehand."""

    name: str
    bytes: int
    sha256: str
    checksum: str
    """"verified" against a known SHA-256, or "recorded" where none was known."""


def bring_local(source: Path, folder: Path, progress: Callable[[int], None] = lambda done: None) -> None:
    """Copy an archive or the archives of a local folder; loose files and folders become one stored zip.

    Args:
        source: an archive, or a folder that holds archives or the unpacked data set.
        folder: an empty folder to fill.
        progress: told the bytes copied.

    Raises:
        DataError: the source is missing or empty.
    """
    if source.is_file() and is_archive(source.name):
        shutil.copyfile(source, folder / source.name)
        progress(source.stat().st_size)
        return
    archives, loose = local_files(source)
    for archive in archives:
        shutil.copyfile(archive, folder / archive.name)
        progress(archive.stat().st_size)
    if loose:
        pack(source, loose, folder / UNPACKED, progress)


def local_files(source: Path) -> tuple[list[Path], list[Path]]:
    """The archives of a local folder, and its loose files, also those in folders; hidden ones are left out.

    Raises:
        DataError: there is no such folder, it is empty, or an archive has the name that is kept for the loose files.
    """
    if not source.is_dir():
        raise DataError(f"{source}: no such folder. Set the data set's `source` to the folder that holds its archives")
    entries = sorted(path for path in source.iterdir() if not path.name.startswith("."))
    archives = [path for path in entries if path.is_file() and is_archive(path.name)]
    loose = sorted(
        path
        for entry in entries
        if entry not in archives
        for path in ([entry] if entry.is_file() else entry.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts)
    )
    if not archives and not loose:
        raise DataError(f"{source}: empty. Put the data set's archives there")
    if loose and source / UNPACKED in archives:
        raise DataError(f"{source / UNPACKED}: that name is kept for the loose files beside it. Rename the archive")
    return archives, loose


def pack(source: Path, files: list[Path], archive: Path, progress: Callable[[int], None] = lambda done: None) -> None:
    """Write a stored zip with fixed dates: one file instead of fifty thousand, the same bytes for the same files.

    Args:
        source: the folder that the paths in the zip are relative to.
        files: the files, in the order of the zip.
        archive: the zip; there only when it is complete.
        progress: told the bytes packed.
    """
    aside = file_aside(archive)
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as target:
            for path in files:
                _add(target, path, path.relative_to(source).as_posix())
                progress(path.stat().st_size)
        aside.replace(archive)
    finally:
        aside.unlink(missing_ok=True)


def _add(target: zipfile.ZipFile, path: Path, name: str) -> None:
    info = zipfile.ZipInfo(name, FIXED_DATE)
    info.external_attr = 0o644 << 16
    with path.open("rb") as file, target.open(info, "w", force_zip64=path.stat().st_size >= 1 << 31) as member:
        shutil.copyfileobj(file, member)


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
        if problem := wrong_with(path, path.name):
            raise DataError(f"{path.name}: {problem}. Get it again")
        found, known = sha256_of(path), sha256.get(path.name)
        if known is not None and found != known.lower():
            raise DataError(
                f"{path.name}: SHA-256 is {found}, expected {known}. Get the archive again, or mend params.yaml"
            )
        status = "recorded" if known is None else "verified"
        verified.append(VerifiedFile(path.name, path.stat().st_size, found, status))
    return verified
