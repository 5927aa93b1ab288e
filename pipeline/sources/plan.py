"""What a data set's `source` asks for: a place on this machine, or files that lie somewhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.errors import ParamsError
from pipeline.params import SourceFile
from pipeline.sources.containers import is_archive
from pipeline.sources.drive import parse_link
from pipeline.sources.files import RemoteFile
from pipeline.sources.registry import PublishedSet


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
    return Remote(tuple(with_checksum(file, sha256) for file in files), None, advice)


def _plan_address(key: str, url: str, sha256: Mapping[str, str]) -> Remote:
    advice = f"Look at {key} in params.yaml."
    link = parse_link(url)
    name = unquote(PurePosixPath(urlsplit(url).path).name)
    if link is None and is_archive(name):
        return Remote((with_checksum(RemoteFile(name, (url,)), sha256),), None, advice)
    if link is not None and not link.folder:
        raise ParamsError(f"{key}: a link to one file on Drive tells no name; write [{{name: X.zip, urls: [{url}]}}]")
    if link is None and urlsplit(url).scheme in ("http", "https"):
        raise ParamsError(
            f"{key}: {url} does not end in the name of an archive; write [{{name: X.zip, urls: [{url}]}}]"
        )
    return Remote((), url, advice)


def with_checksum(file: RemoteFile, sha256: Mapping[str, str]) -> RemoteFile:
    """The file with the checksum that params.yaml gives it."""
    return replace(file, checksums={**file.checksums, "sha256": sha256[file.name]}) if file.name in sha256 else file
