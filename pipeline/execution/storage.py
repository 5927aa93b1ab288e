"""Files by their content in a store that all machines reach: s3://, gs://, abfs://, or file:// for a mounted one."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import DataError, ParamsError
from pipeline.stores import StoreError, open_store, told


class Storage:
    """Objects at <url>/objects/<SHA-256>, whole and never changed. Nothing but a cache: it may be deleted between runs.

    Args:
        url: a folder as fsspec takes it; its driver finds the credentials in its own ways.

    Raises:
        ParamsError: the protocol is unknown, or its driver is not installed or does not let us in.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            self._store, self._place = open_store(self.url)
        except StoreError as error:
            raise ParamsError(f"executor.storage: {error} (on {_machine()})") from error

    def put(self, path: Path, sha256: str = "") -> str:
        """Store a file unless it is there; the SHA-256 of its bytes.

        Args:
            sha256: that of its bytes, where it is known.

        Raises:
            OSError: the file cannot be read.
            DataError: its bytes are not those of `sha256`.
            ParamsError: the storage cannot be written.
        """
        size, known = path.stat().st_size, sha256 or _digest(path)
        if self._size(known) == size:  # another size is what a writer left that was killed
            return known
        if sha256 and _digest(path) != sha256:
            raise DataError(
                f"{path}: damaged, its bytes are not those of its manifest. Run the stage that makes it again"
            )
        try:
            self._write(path, f"{self._place}/objects/{known}")
        except Exception as error:  # each driver has errors of its own
            raise ParamsError(
                f"executor.storage: {self.url} cannot be written from {_machine()} ({told(self._address(known), error)}). "
                "Give a folder that is there, and its driver credentials that may write"
            ) from error
        return known

    def bring(self, sha256: str, path: Path) -> None:
        """Fill a file with an object, whole or not at all.

        Raises:
            DataError: the object is not there, or damaged.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{threading.get_native_id()}")
        try:
            try:
                self._store.get_file(f"{self._place}/objects/{sha256}", str(aside))
            except Exception as error:  # each driver has errors of its own
                raise DataError(
                    f"executor.storage: {path.name} cannot be brought to {_machine()} ({told(self._address(sha256), error)}). "
                    "Run the command again, it stores what is missing"
                ) from error
            with aside.open("rb+") as file:
                os.fsync(file.fileno())
            if _digest(aside) != sha256:
                raise DataError(
                    f"executor.storage: {self._address(sha256)} is damaged, its bytes have another hash. Delete it and run "
                    "the command again"
                )
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)

    def _size(self, sha256: str) -> int | None:
        """Bytes of an object; None where it is not there."""
        try:
            return int(self._store.info(f"{self._place}/objects/{sha256}")["size"])
        except FileNotFoundError:
            return None
        except Exception as error:  # each driver has errors of its own
            raise ParamsError(f"executor.storage: {told(self._address(sha256), error)} (on {_machine()})") from error

    def _write(self, path: Path, place: str) -> None:
        if not isinstance(self._store, LocalFileSystem):
            self._store.put_file(str(path), place)  # object stores show an object once it is whole
            return
        aside = Path(f"{place}.{uuid.uuid4().hex}")
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, aside)
            aside.replace(place)
        finally:
            aside.unlink(missing_ok=True)

    def _address(self, sha256: str) -> str:
        return f"{self.url}/objects/{sha256}"


def _digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _machine() -> str:
    return os.uname().nodename
