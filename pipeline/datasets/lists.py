"""List files: one sample id per line."""

from __future__ import annotations

from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member


def read_text(archives: Archives, member: Member) -> str:
    """A text file of an archive.

    Raises:
        DataError: it is damaged or no UTF-8.
    """
    try:
        return archives.read(member).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{member.name}: not a text file ({error}). Get the archive again") from error


def read_ids(archives: Archives, member: Member) -> list[str]:
    """The ids of a list file, in its order.

    Raises:
        DataError: an id stands there twice.
    """
    ids = [line.strip() for line in read_text(archives, member).splitlines() if line.strip()]
    seen: set[str] = set()
    for sample_id in ids:
        if sample_id in seen:
            raise DataError(f"{member.name}: {sample_id!r} stands there twice. Remove one of the lines")
        seen.add(sample_id)
    return ids
