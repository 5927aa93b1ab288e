"""What a data set's `source` asks for: a place on this machine, or files that lie somewhere else."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.errors import DataError, ParamsError
from pipeline.params import SourceFile
from pipeline.sources.containers import is_archive
from pipeline.sources.download import UNPACKED, VerifiedFile, pack
from pipeline.sources.drive import parse_link
from pipeline.sources.fetch import Fetcher
from pipeline.sources.files import RemoteFile
from pipeline.sources.objects import list_objects
from pipeline.sources.part import Part
from pipeline.sources.registry import PublishedSet
from pipeline.sources.retry import MirrorError


@dataclass(frozen=True)
class Remote:
    """Files that lie somewhere else.

    Attributes:
        files: each with its addresses.
        folder: address of a folder whose files are all wanted, instead.
        advice: where a person gets them.
    """

    files: tuple[RemoteFile, ...] = ()
    folder: str | None = None
    advice: str = ""


def plan_source(
    key: str,
    source: str | Sequence[SourceFile],
    layout: str,
    splits: tuple[str, ...],
    sha256: Mapping[str, str],
    registry: Mapping[str, PublishedSet],
) -> Path | Remote:
    """What to bring for a data set.

    Args:
        key: the place of `source` in params.yaml, for messages.
        source: a local path, `published`, an address, or files with their addresses.
        layout: names the published set.
        splits: the splits that are wanted.
        sha256: file name -> the SHA-256 that it must have.
        registry: the published sets.

    Raises:
        ParamsError: the source cannot be understood.
    """
    if not isinstance(source, str):
        files = [RemoteFile(one.name, one.urls, None, {"sha256": one.sha256} if one.sha256 else {}) for one in source]
        advice = "Look at the addresses in params.yaml."
    elif source == "published":
        if layout not in registry:
            raise ParamsError(
                f"{key}: no published files are known for layout {layout!r}, only for {', '.join(sorted(registry))}. "
                "Give a folder, an address or a list of files"
            )
        published = registry[layout]
        files = [file.remote() for file in published.needed(splits)]
        advice = f"{published.access} Page: {published.page}."
    elif "://" in source:
        return _plan_address(key, source, sha256)
    else:
        return Path(source).expanduser()
    return Remote(tuple(_with(file, sha256) for file in files), None, advice)


def _plan_address(key: str, url: str, sha256: Mapping[str, str]) -> Remote:
    advice = f"Look at {key} in params.yaml."
    link = parse_link(url)
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    if link is None and is_archive(name):
        return Remote((_with(RemoteFile(name, (url,)), sha256),), None, advice)
    if link is not None and not link.folder:
        raise ParamsError(f"{key}: a link to one file on Drive tells no name; write [{{name: X.zip, urls: [{url}]}}]")
    if link is None and urlsplit(url).scheme in ("http", "https"):
        raise ParamsError(
            f"{key}: {url} does not end in the name of an archive; write [{{name: X.zip, urls: [{url}]}}]"
        )
    return Remote((), url, advice)


def _with(file: RemoteFile, sha256: Mapping[str, str]) -> RemoteFile:
    """The file with the checksum that params.yaml gives it."""
    return replace(file, checksums={**file.checksums, "sha256": sha256[file.name]}) if file.name in sha256 else file


def bring_remote(remote: Remote, fetcher: Fetcher, folder: Path, sha256: Mapping[str, str]) -> list[VerifiedFile]:
    """Fill `folder` with what was planned; a folder's loose files become one stored zip.

    Raises:
        DataError: a file cannot be had or is not the right one.
    """
    if remote.folder is None:
        return fetcher.bring(remote.files, folder)
    try:
        listed = _list(remote.folder, fetcher)
    except MirrorError as error:
        raise DataError(f"{fetcher.dataset}: {error}. {remote.advice}") from error
    archives = [_with(file, sha256) for path, file in listed.items() if "/" not in path and is_archive(path)]
    loose = {path: file for path, file in listed.items() if path not in {archive.name for archive in archives}}
    verified = fetcher.bring(archives, folder)
    return verified + ([_bring_loose(loose, fetcher, folder, sha256)] if loose else [])


def _list(url: str, fetcher: Fetcher) -> dict[str, RemoteFile]:
    """Path below the folder -> file, in the order of the paths."""
    link = parse_link(url)
    if link is not None:
        files = {path: RemoteFile(path, (inner,)) for path, inner in fetcher.drive.list_folder(link, fetcher.patience)}
    else:
        listed = list_objects(url)
        if listed is None:
            name = PurePosixPath(urlsplit(url).path).name
            raise MirrorError(f"{url} is one file, and {name!r} is no archive")
        files = {path: RemoteFile(path, (address,), size) for path, address, size in listed}
    for path in files:
        if ".." in PurePosixPath(path).parts or path.startswith("/"):
            raise MirrorError(f"{url} names a file outside of itself: {path!r}")
    return dict(sorted(files.items()))


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
    return fetcher.bring([_with(RemoteFile(UNPACKED), sha256)], folder)[0]


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
