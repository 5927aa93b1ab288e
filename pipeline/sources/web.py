"""Download over http(s): resumed where it broke off, tried again while the trouble passes, never a page for a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, NamedTuple

import requests
import urllib3

from pipeline.sources.pages import confirmed, is_page, reason
from pipeline.sources.part import Origin, Part
from pipeline.sources.retry import MirrorError, PassingError, Patience, persist

Progress = Callable[[int, int | None], None]
"""Told the bytes that are there and the bytes of the whole file, None where the host does not say."""

_CHUNK = 1 << 18
_LONGEST_PAGE = 1 << 18
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_REFUSED = {401: "it asks to sign in", 403: "it refuses access", 404: "not found there", 410: "no longer there"}
_HEADERS = {"User-Agent": "human-parsing-pipeline", "Accept-Encoding": "identity"}


def download_http(
    url: str,
    part: Part,
    name: str,
    patience: Patience,
    progress: Progress = lambda done, total: None,
    expected_bytes: int | None = None,
) -> None:
    """Fill `part` with the bytes of an address.

    Args:
        url: the address; redirects are followed.
        part: gone on with where its origin allows.
        name: what the file will be called; tells whether a web page may be meant.
        patience: how long to go on.
        progress: told the bytes so far.
        expected_bytes: the size that the file must have, where known.

    Raises:
        MirrorError: the address cannot give the file.
    """
    address = [url]
    with open_session(patience) as session:

        def attempt() -> None:
            with _told_apart():
                page = _attempt(session, address[0], part, name, patience, progress, expected_bytes)
            if page is None:
                return
            behind = confirmed(page.text, page.url)
            if behind is None or len(address) > 1:
                raise MirrorError(reason(page.text))
            address.insert(0, behind)
            attempt()

        persist(attempt, patience, part.path)


def read_page(url: str, patience: Patience) -> str:
    """The text of a web page.

    Raises:
        MirrorError: it cannot be had.
    """
    with open_session(patience) as session:

        def attempt() -> str:
            with _told_apart(), session.get(url, headers=_HEADERS, timeout=patience.timeout_s) as response:
                _check_status(response)
                return response.text

        return persist(attempt, patience)


@contextmanager
def _told_apart() -> Iterator[None]:
    """The library's errors as trouble that passes, or that does not."""
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise MirrorError(f"no trusted connection ({_short(error)})") from error
    except _PASSING_ERRORS as error:
        raise PassingError(_short(error)) from error
    except requests.RequestException as error:
        raise MirrorError(_short(error)) from error


def open_session(patience: Patience) -> requests.Session:
    """A session that sends nothing over plain http, redirects included, unless that is allowed."""
    session = requests.Session()
    if not patience.allow_http:
        session.mount("http://", _Refusal())
    return session


class _Refusal(requests.adapters.HTTPAdapter):
    def send(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        raise MirrorError(
            f"{request.url} is plain http, which anyone on the way can alter; set download.allow_http: true"
        )


class _Page(NamedTuple):
    """A web page, and the address that it came from in the end."""

    text: str
    url: str


_PASSING_ERRORS = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
)


def _attempt(
    session: requests.Session,
    url: str,
    part: Part,
    name: str,
    patience: Patience,
    progress: Progress,
    expected_bytes: int | None,
) -> _Page | None:
    """One request; the page that came instead of the file, or None when the file is complete."""
    origin = part.origin(url)
    if origin is not None and origin.total == part.size:
        return None
    headers = dict(_HEADERS)
    if origin is not None:
        headers["Range"] = f"bytes={part.size}-"
        if origin.validator is not None:
            headers["If-Range"] = origin.validator
    with session.get(url, headers=headers, stream=True, timeout=patience.timeout_s) as response:
        if response.status_code == 416:
            part.discard()
            raise PassingError("the file there is shorter than what came before; starting over", 0.0)
        _check_status(response)
        chunks = response.raw.stream(_CHUNK, decode_content=False)
        if response.status_code == 206:
            total = _check_range(response, part, origin)
            file: IO[bytes] = part.path.open("ab")
        else:
            total = _length(response)
            first = next(chunks, b"")
            if is_page(first, name):
                return _Page(_text(first, chunks), response.url)
            if expected_bytes is not None and total is not None and total != expected_bytes:
                raise MirrorError(f"the file there has {total} bytes, expected {expected_bytes}")
            file = part.begin(Origin(url, _validator(response), total))
            chunks = _again(first, chunks)
        _store(chunks, file, part.size, total, progress)
    if total is not None and part.size != total:
        size = part.size
        if size > total:
            part.discard()
        raise PassingError(f"the connection ended after {size} of {total} bytes")
    return None


def _store(chunks: Iterator[bytes], file: IO[bytes], done: int, total: int | None, progress: Progress) -> None:
    with file:
        progress(done, total)
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            progress(done, total)


def _again(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks


def _text(first: bytes, chunks: Iterator[bytes]) -> str:
    page = bytearray(first)
    for chunk in chunks:
        page += chunk
        if len(page) >= _LONGEST_PAGE:
            break
    return page.decode("utf-8", "replace")


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status in _PASSING:
        raise PassingError(f"the server answers {status} {response.reason}", _retry_after(response))
    if status not in (200, 206):
        raise MirrorError(f"the server answers {status} ({_REFUSED.get(status, response.reason)})")


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait, told as a number or as a date."""
    told = response.headers.get("Retry-After", "").strip()
    if told.isdigit():
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except (TypeError, ValueError):
        return None
    return (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _check_range(response: requests.Response, part: Part, origin: Origin | None) -> int | None:
    """The whole file's size, after making sure that the answer goes on where the part ends."""
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    total = None if told is None or told[2] == "*" else int(told[2])
    if (
        origin is None
        or told is None
        or int(told[1]) != part.size
        or (origin.total and total not in (None, origin.total))
    ):
        part.discard()
        raise PassingError("the server's range does not continue the file; starting over", 0.0)
    return total or origin.total


def _length(response: requests.Response) -> int | None:
    told = response.headers.get("Content-Length", "")
    return int(told) if told.isdigit() else None


def _validator(response: requests.Response) -> str | None:
    """A strong ETag, else the date of the last change: what If-Range may be asked with."""
    etag = response.headers.get("ETag", "")
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def _short(error: Exception) -> str:
    """A library's error without its nesting."""
    cause: object = error.args[0] if error.args else error
    cause = getattr(cause, "reason", None) or cause
    return re.sub(r"<[^>]*object at 0x[0-9a-f]+>:?\s*", "", str(cause))[:200]
