"""Files of published weights: found on this machine, placed by hand, or downloaded and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
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
    return published_file(context, key, RemoteFile(name, (given,)), command)


def given_weights(context: Context, key: str, given: str, published: Callable[[], RemoteFile], command: str) -> Path:
    """The file of a teacher's weights that are neither the sample's nor fitted here.

    Args:
        context: of the stage.
        key: the parameter, for messages.
        given: "coco", a file, or an address.
        published: where those lie that "coco" means.
        command: to run again once a file is placed by hand.

    Raises:
        ParamsError: there is no such file, or none is published.
        DataError: the file at the address cannot be had, or is another one.
    """
    if given != "coco":
        return weights_file(context, key, given, command)
    return published_file(context, key, published(), command)


def published_file(context: Context, key: str, file: RemoteFile, command: str) -> Path:
    """A file from an address, kept in the scratch folder; one placed in data/manual/weights is taken instead.

    Args:
        context: of the stage.
        key: the parameter, for messages.
        file: its name, its address, and what is known of its checksums.
        command: to run again once the file is placed by hand.

    Raises:
        DataError: the file cannot be had, or is another one.
    """
    patience, scratch = context.params.download, context.paths.scratch
    folder = scratch / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / file.name
    target.unlink(missing_ok=True)  # placed anew by the fetcher, which knows the whole files from before
    with context.counted_progress(file.name, "bytes") as progress:
        fetcher = Fetcher(
            dataset=FOLDER,
            store=scratch / "download" / FOLDER,
            manual=context.paths.stage("manual", FOLDER),
            lock=SourceLock(context.paths.sources_lock, scratch / "sources.lock"),
            advice=f"Look at {key} in params.yaml: it means {file.urls[0]}.",
            patience=Patience(patience.retries, patience.timeout_s, patience.allow_http),
            progress=lambda _, done, total: progress(done, total or 0),
            command=command,
        )
        fetcher.bring([file], folder)
    return target
