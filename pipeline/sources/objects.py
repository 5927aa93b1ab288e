"""Files of any store that fsspec speaks to: s3://, gs://, hf://, sftp://, file://, memory:// and the rest."""

from __future__ import annotations

from typing import Any

from pipeline.sources.part import Origin, Part
from pipeline.sources.retry import MirrorError, PassingError, Patience, persist
from pipeline.sources.web import Progress
from pipeline.stores import StoreError, open_store, refused, told

_CHUNK = 1 << 20


def download_object(
    url: str,
    part: Part,
    patience: Patience,
    progress: Progress = lambda done, total: None,
    expected_bytes: int | None = None,
) -> None:
    """Fill `part` with an object's bytes, gone on with where the object is still the same.

    Raises:
        MirrorError: the object cannot be had, or its driver is not installed.
    """
    persist(lambda: _attempt(url, part, progress, expected_bytes), patience, part.path)


def list_objects(url: str) -> list[tuple[str, str, int]] | None:
    """Path below the folder, address and bytes of every object in it; None where `url` is one object.

    Raises:
        MirrorError: there is nothing, or the driver is not installed.
    """
    store, place = _store(url)
    try:
        if store.isfile(place):
            return None
        found = store.find(place, detail=True)
    except Exception as error:  # each driver has errors of its own
        raise MirrorError(told(url, error)) from error
    prefix = place.rstrip("/") + "/"
    listed = [
        (path.removeprefix(prefix), store.unstrip_protocol(path), int(found[path]["size"])) for path in sorted(found)
    ]
    listed = [entry for entry in listed if not any(step.startswith(".") for step in entry[0].split("/"))]
    if not listed:
        raise MirrorError(f"{url}: no such object or folder, or an empty one")
    return listed


def _attempt(url: str, part: Part, progress: Progress, expected_bytes: int | None) -> None:
    store, place = _store(url)
    try:
        total = int(store.info(place)["size"])
        version = str(store.ukey(place))
    except Exception as error:  # each driver has errors of its own
        raise MirrorError(told(url, error)) from error
    if expected_bytes is not None and total != expected_bytes:
        raise MirrorError(f"the file there has {total} bytes, expected {expected_bytes}")
    origin = Origin(url, version, total)
    with part.path.open("ab") if part.origin(url) == origin else part.begin(origin) as file:
        progress(file.tell(), total)
        while file.tell() < total:
            file.write(_piece(store, place, url, file.tell(), min(file.tell() + _CHUNK * 16, total)))
            progress(file.tell(), total)


def _piece(store: Any, place: str, url: str, start: int, end: int) -> bytes:
    try:
        data: bytes = store.cat_file(place, start=start, end=end)
    except Exception as error:  # each driver has errors of its own
        if refused(error):
            raise MirrorError(told(url, error)) from error
        raise PassingError(told(url, error)) from error
    if len(data) != end - start:
        raise PassingError(f"{len(data)} bytes came, {end - start} were asked for")
    return data


def _store(url: str) -> tuple[Any, str]:
    try:
        return open_store(url)
    except StoreError as error:
        raise MirrorError(str(error)) from error
