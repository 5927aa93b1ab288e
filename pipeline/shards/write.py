"""Write one shard, whole or not at all, with bytes that depend on the rows alone."""

from __future__ import annotations

import ctypes
import io
import os
import re
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def file_aside(path: Path) -> Path:
    """The name under which this thread writes a file until it is whole."""
    return path.with_name(f".{path.name}.{threading.get_native_id()}-{os.getpid()}")


def write_whole(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a file under another name, then give it its own name.

    Args:
        flush: to the disk, before it gets its name. Otherwise a machine that loses its power may come back with the name and
            no content; that is for files whose content is verified, or which `flush_files` gets.
    """
    aside = file_aside(path)
    try:
        with aside.open("wb") as file:
            file.write(data)
            if flush:
                file.flush()
                os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


_FLUSHED_AT_ONCE = 16


def flush_files(paths: Iterable[Path]) -> None:
    """Wait until the disk has these files; many at a time, as file systems write them out together."""
    with ThreadPoolExecutor(_FLUSHED_AT_ONCE, "flush") as threads:
        for _ in threads.map(_flush, paths):
            pass


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def parquet_bytes(rows: Iterable[Mapping[str, Any]], schema: pa.Schema, row_group: int) -> bytes:
    """A parquet file of the rows, zstd, `row_group` rows being the unit of reading; pages have checksums that readers verify."""
    return table_bytes(pa.Table.from_pylist([dict(row) for row in rows], schema=schema), row_group)


def table_bytes(table: pa.Table, row_group: int) -> bytes:
    """As `parquet_bytes`, of rows that are a table already."""
    buffer = io.BytesIO()
    pq.write_table(
        table,
        buffer,
        compression="zstd",
        row_group_size=row_group,
        write_statistics=["sample_id"],
        write_page_checksum=True,
    )
    return buffer.getvalue()


def npz_bytes(arrays: Iterable[tuple[str, np.ndarray]], compress: bool) -> bytes:
    """An npz file: one member per name and array, in the order given, with fixed dates so that equal arrays give equal bytes."""
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method, compresslevel=1 if compress else None) as archive:
        for name, array in arrays:
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _FIXED_DATE)
            info.external_attr = 0o644 << 16
            info.compress_type = method
            archive.writestr(info, member.getvalue(), compresslevel=1 if compress else None)
    return buffer.getvalue()


def folder_aside(target: Path) -> tempfile.TemporaryDirectory[str]:
    """A folder beside another in which that one's successor is made; gone when its block is left.

    One that is left by a killed run is known by its name, see `remove_leftovers`.
    """
    return tempfile.TemporaryDirectory(prefix=f".{target.name}.new-", suffix=f"-{os.getpid()}", dir=target.parent)


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in another's place; at no moment is there half of each.

    Where the system can exchange two names, the old folder stands until the new one does. Elsewhere it is moved aside first,
    and put back if the new one cannot be put there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir() and _exchanged(new, target):
        shutil.rmtree(new, ignore_errors=True)
        return
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


_HERE, _EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of renameat2(2)."""


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    exchange = getattr(ctypes.CDLL(None), "renameat2", None)
    return exchange is not None and exchange(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


def replace_file(path: Path, data: bytes) -> None:
    """`write_whole` for an output, beside which killed runs may have left something: that goes first."""
    remove_leftovers(path)
    write_whole(path, data)


_ASIDE = re.compile(r"\.(?P<name>.+)\.(?P<kind>new-(\w+-)?|old-|\d+-)(?P<process>\d+)")
"""Names of what is written aside: `file_aside`, `folder_aside` and its like."""


def remove_leftovers(target: Path) -> None:
    """Remove what killed runs of this machine left beside a file or a folder.

    An old folder that was moved aside is put back if none took its place.
    """
    for leftover in target.parent.iterdir() if target.parent.is_dir() else ():
        found = _ASIDE.fullmatch(leftover.name)
        if found is None or found["name"] != target.name or _is_used(found):
            continue
        if found["kind"] == "old-" and not target.exists():
            leftover.rename(target)
        elif leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def remove_files_left(folder: Path, names: Collection[str] | None = None) -> None:
    """Remove the unfinished files that killed processes of this machine left below a folder.

    Args:
        names: of the files that they were to become; None is any.
    """
    for leftover in folder.rglob(".*"):
        found = _ASIDE.fullmatch(leftover.name)
        if found is None or (names is not None and found["name"] not in names):
            continue
        if leftover.is_file() and not _is_used(found):
            leftover.unlink(missing_ok=True)


def _is_used(found: re.Match[str]) -> bool:
    """Whether the process that a name aside tells of is at work, and another one than this."""
    process = int(found["process"])
    return process != os.getpid() and _runs(process)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
