"""Bring what a source asks for: its files, or all files of a folder that lies somewhere else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath

from pipeline.errors import DataError
from pipeline.shards.write import write_whole
from pipeline.sources.containers import is_archive
from pipeline.sources.download import UNPACKED, VerifiedFile, pack
from pipeline.sources.drive import parse_link
from pipeline.sources.fetch import Fetcher
from pipeline.sources.files import RemoteFile
from pipeline.sources.objects import list_objects
from pipeline.sources.part import Part
from pipeline.sources.plan import Remote, with_checksum
from pipeline.sources.retry import MirrorError


def bring_remote(remote: Remote, fetcher: Fetcher, folder: Path, sha256: Mapping[str, str]) -> list[VerifiedFile]:
    """Fill `folder` with what was planned; a folder's loose files become one stored zip.

    Raises:
        DataError: a file cannot be had or is not the right one.
    """
    if remote.folder is None:
        return fetcher.bring(remote.files, folder)
    try:
        listed = _remembered_list(remote.folder, fetcher)
    except MirrorError as error:
        raise DataError(f"{fetcher.dataset}: {error}. {remote.advice}") from error
    archives = [with_checksum(file, sha256) for path, file in listed.items() if "/" not in path and is_archive(path)]
    loose = {path: file for path, file in listed.items() if path not in {archive.name for archive in archives}}
    verified = fetcher.bring(archives, folder)
    return verified + ([_bring_loose(loose, fetcher, folder, sha256)] if loose else [])


def _remembered_list(url: str, fetcher: Fetcher) -> dict[str, RemoteFile]:
    """The folder's files; as they were last time where the folder does not answer now, so that a repeat works offline."""
    memory = fetcher.store / "listing.json"
    try:
        entries = _list(url, fetcher)
    except MirrorError:
        remembered = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
        if remembered.get("url") != url:
            raise
        entries = remembered["entries"]
    else:
        fetcher.store.mkdir(parents=True, exist_ok=True)
        write_whole(memory, json.dumps({"url": url, "entries": entries}).encode())
    return {path: RemoteFile(path, (address,), size) for path, address, size in entries}


def _list(url: str, fetcher: Fetcher) -> list[tuple[str, str, int | None]]:
    """Path below the folder, address and size, where told, of every file, in the order of the paths."""
    link, entries = parse_link(url), list[tuple[str, str, int | None]]()
    if link is not None:
        entries += [(path, address, None) for path, address in fetcher.drive.list_folder(link, fetcher.patience)]
    else:
        listed = list_objects(url)
        if listed is None:
            raise MirrorError(f"{url} is one file, and its name is no archive's")
        entries += listed
    entries.sort(key=lambda entry: entry[0])
    for (path, *_), (following, *_) in pairwise([*entries, ("", "", None)]):
        if path == following:
            raise MirrorError(f"{url} holds {path} twice")
        if ".." in PurePosixPath(path).parts or path.startswith("/"):
            raise MirrorError(f"{url} names a file outside of itself: {path!r}")
    return entries


def _bring_loose(
    files: Mapping[str, RemoteFile], fetcher: Fetcher, folder: Path, sha256: Mapping[str, str]
) -> VerifiedFile:
    """A folder's loose files as one archive, which is what the lock and the checksum are about."""
    loose, packed = fetcher.store / "loose", fetcher.store / UNPACKED
    with fetcher.alone():
        if not packed.is_file():
            for path, file in files.items():
                _bring_one(file, loose / path, fetcher)
            pack(loose, [loose / path for path in files], packed)
            shutil.rmtree(loose)
    return fetcher.bring([with_checksum(RemoteFile(UNPACKED), sha256)], folder)[0]


def _bring_one(file: RemoteFile, kept: Path, fetcher: Fetcher) -> None:
    if kept.is_file() and file.bytes in (None, kept.stat().st_size):
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = Part(kept.with_name(f"{kept.name}.part"))
    try:
        fetcher.load(file.urls[0], part, file)
    except MirrorError as error:
        raise DataError(f"{fetcher.dataset}: {file.name} could not be had ({error})") from error
    part.finish(kept)
