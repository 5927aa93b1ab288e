"""A file that lies somewhere else: its name here, its addresses, and what is known of its content."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.sources.containers import COMPRESSED_TARS
from pipeline.sources.pages import is_page
from pipeline.sources.tar import NotPlain, check_tar


@dataclass(frozen=True)
class RemoteFile:
    """One file of a source.

    Attributes:
        name: its name in data/raw, without folders.
        urls: where it can be had, in the order to try; none where it must be placed by hand.
        bytes: its size, where known.
        checksums: algorithm of hashlib -> hex digest, or its first digits where no more is known; all are enforced.
    """

    name: str
    urls: tuple[str, ...] = ()
    bytes: int | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


def digests(path: Path, algorithms: set[str]) -> dict[str, str]:
    """Hex digests of a file, read once."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in sorted(algorithms)}
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            for one in hashes.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in hashes.items()}


def wrong_with(path: Path, name: str) -> str | None:
    """What is wrong with a file that should be called `name`, or None: a web page in its place, an archive cut short."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if is_page(file.read(1024), name):
            return "a web page, not the file itself"
    lower = name.lower()
    if lower.endswith(".zip") and not zipfile.is_zipfile(path):
        return f"not a whole zip archive ({size} bytes, no directory at its end)"
    if lower.endswith((".tar", *COMPRESSED_TARS)):
        try:
            with path.open("rb") as file:
                check_tar(file)
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            return f"not a whole tar archive ({size} bytes; {' '.join(str(error).split())})"
        except NotPlain as error:
            return str(error)
    return None
