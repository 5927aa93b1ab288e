"""List files: one sample id, or one file name, per line."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.datasets.splits import SPLITS
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member
from pipeline.sources.containers import told_name

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


def read_text(archives: Archives, member: Member) -> str:
    """A text file of an archive.

    Raises:
        DataError: it is damaged or no UTF-8.
    """
    try:
        return told_name(archives.read(member).decode("utf-8-sig"))
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


def split_lists(archives: Archives, splits: Sequence[str], ending: str) -> dict[str, Member]:
    """Split -> its list file, <split><ending>; empty where there is none at all.

    Raises:
        DataError: some of the splits that are asked for have a list, others have none.
    """
    found = {split: file for split in SPLITS if (file := archives.find(f"{split}{ending}")) is not None}
    missing = [split for split in splits if split not in found]
    if found and missing:
        raise DataError(
            f"{archives.folder}: {missing[0]}{ending} is missing beside {next(iter(found.values())).name}. Add it, leave "
            f"{missing[0]!r} out of `splits`, or take all lists away to have the split drawn by the seed"
        )
    return found


def read_names(archives: Archives, member: Member) -> list[str]:
    """The ids of a list whose lines are file names of images, with or without an ending.

    Raises:
        DataError: an id stands there twice.
    """
    ids = [one[: -len(end)] if (end := _ending(one)) else one for one in read_ids(archives, member)]
    if len(set(ids)) != len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise DataError(f"{member.name}: {twice!r} stands there twice. Remove one of the lines")
    return ids


def _ending(name: str) -> str:
    return next((end for end in IMAGE_ENDINGS if name.lower().endswith(end)), "")
