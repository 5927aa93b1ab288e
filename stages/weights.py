"""Files of published weights: found on this machine, placed by hand, or downloaded and kept."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.errors import ParamsError
from pipeline.sources.fetch import Fetcher
from pipeline.sources.files import RemoteFile
from pipeline.sources.lock import SourceLock
from pipeline.sources.retry import Patience
from stages.context import Context

FOLDER = "weights"
"""Where weights are placed by hand, below data/manual, and what the lock of sources calls them."""


def weights_file(context: Context, key: str, given: str, command: str) -> Path:
    """The file that a parameter names, or that lies at the address it gives.

    Args:
        context: of the stage.
        key: the parameter, for messages.
        given: a file, or an address.
        command: to run again once a file is placed by hand.

    Raises:
        ParamsError: there is no such file, or the address names none.
        DataError: the file at the address cannot be had.
    """
    if "://" not in given:
        file = Path(given).expanduser()
        if not file.is_file():
            raise ParamsError(f"{key}: no file {file}. Give a file of weights, or its address")
        return file
    name = unquote(PurePosixPath(urlsplit(given).path).name)
    if not name:
        raise ParamsError(f"{key}: {given} does not end in the name of a file")
    # Other addresses may call another file the same.
    name = f"{hashlib.sha256(given.encode()).hexdigest()[:8]}-{name}"
    return published_file(context, key, name, given, "", command)


def published_file(
    context: Context, key: str, name: str, url: str, sha256_start: str, command: str, *, md5_start: str = ""
) -> Path:
    """A file from an address, kept in the scratch folder; one placed in data/manual/weights is taken instead.

    Args:
        context: of the stage.
        key: the parameter, for messages.
        name: to call the file.
        url: its address.
        sha256_start: the first digits of its SHA-256; empty where unknown.
        command: to run again once the file is placed by hand.
        md5_start: the first digits of its MD5, where its publisher gives that instead.

    Raises:
        DataError: the file cannot be had, or is another one.
    """
    checksums = {algorithm: digits for algorithm, digits in (("sha256", sha256_start), ("md5", md5_start)) if digits}
    patience, scratch = context.params.download, context.paths.scratch
    folder = scratch / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / name
    target.unlink(missing_ok=True)  # placed anew by the fetcher, which knows the whole files from before
    with context.counted_progress(name, "bytes") as progress:
        fetcher = Fetcher(
            dataset=FOLDER,
            store=scratch / "download" / FOLDER,
            manual=context.paths.stage("manual", FOLDER),
            lock=SourceLock(context.paths.sources_lock, scratch / "sources.lock"),
            advice=f"Look at {key} in params.yaml: it means {url}.",
            patience=Patience(patience.retries, patience.timeout_s, patience.allow_http),
            progress=lambda _, done, total: progress(done, total or 0),
            command=command,
        )
        fetcher.bring([RemoteFile(name, (url,), None, checksums)], folder)
    return target
