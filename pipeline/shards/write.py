"""Write one shard, whole or not at all, with bytes that depend on the rows alone."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, flush it to the disk, then give it its own name."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


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


def replace_folder(new: Path, target: Path) -> None:
    """Put a finished folder in another's place: the old one is moved aside first, so there is never half of each."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def remove_leftovers(target: Path) -> None:
    """Remove what killed runs of this machine left beside a folder: their unfinished one, and the old one moved aside."""
    names = (f".{target.name}.new-", f".{target.name}.old-")
    for leftover in target.parent.iterdir() if target.parent.is_dir() else ():
        process = leftover.name.rpartition("-")[2]
        ours = leftover.name.startswith(names) and process.isdecimal()
        if ours and (int(process) == os.getpid() or not _runs(int(process))):
            shutil.rmtree(leftover, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
