"""A web server on this machine that serves files and, on request, every kind of trouble."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Trouble = Callable[["_Handler", "Hosted"], None]


@dataclass
class Hosted:
    """What lies under a path.

    Attributes:
        data: the bytes.
        troubles: what happens instead at the first requests, one each; then all is well.
        ranges: whether the server can continue in the middle.
        tagged: whether it sends an ETag.
        kind: the content type.
    """

    data: bytes
    troubles: list[Trouble] = field(default_factory=list)
    ranges: bool = True
    tagged: bool = True
    kind: str = "application/octet-stream"


class FileServer:
    """Serves `files` at `url`; `requests` are the paths and headers that came."""

    def __init__(self) -> None:
        self.files: dict[str, Hosted] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.files = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> FileServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, path: str, data: bytes, *troubles: Trouble, **fields: Any) -> str:
        """Serve a file; its address."""
        self.files[path] = Hosted(data, list(troubles), **fields)
        return f"{self.url}/{path}"

    def headers(self, name: str) -> list[str | None]:
        """A header of all requests so far."""
        return [headers.get(name) for _, headers in self.requests]


def status(code: int, **headers: str) -> Trouble:
    """An answer of that status alone."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, hosted: handler.answer(code, b"", {"Content-Length": "0", **named})


def redirect(url: str) -> Trouble:
    """An answer that sends to another address."""
    return status(302, Location=url)


def page(html: str) -> Trouble:
    """A web page, status 200."""
    text = html.encode()
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(text))}
    return lambda handler, hosted: handler.answer(200, text, headers)


def cut(count: int) -> Trouble:
    """The connection ends after so many of the bytes that were promised."""
    return lambda handler, hosted: handler.serve(hosted, stop=count)


def stall(count: int) -> Trouble:
    """After so many bytes nothing more comes."""

    def trouble(handler: _Handler, hosted: Hosted) -> None:
        handler.serve(hosted, stop=count)
        handler.wfile.flush()
        handler.files.released.wait(10)

    return trouble


def wrong_range(handler: _Handler, hosted: Hosted) -> None:
    """The whole file, called a part that begins at 0 although another one was asked for."""
    size = len(hosted.data)
    handler.answer(206, hosted.data, {"Content-Range": f"bytes 0-{size - 1}/{size}", "Content-Length": str(size)})


class _Handler(BaseHTTPRequestHandler):
    @property
    def files(self) -> FileServer:
        return self.server.files  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        self.files.requests.append((path, dict(self.headers)))
        hosted = self.files.files.get(path)
        if hosted is None:
            self.answer(404, b"", {"Content-Length": "0"})
        elif hosted.troubles:
            hosted.troubles.pop(0)(self, hosted)
        else:
            self.serve(hosted)
        self.close_connection = True

    def serve(self, hosted: Hosted, stop: int | None = None) -> None:
        """The file, or what is asked of it, up to byte `stop` of the whole."""
        size, tag = len(hosted.data), f'"{hashlib.md5(hosted.data).hexdigest()}"'
        headers = {"Content-Type": hosted.kind} | ({"ETag": tag} if hosted.tagged else {})
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start, end = 0, size
        if asked and hosted.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(asked[1])
            if start >= size:
                self.answer(416, b"", {"Content-Range": f"bytes */{size}", "Content-Length": "0"})
                return
            end = min(size, int(asked[2]) + 1) if asked[2] else size
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        headers["Content-Length"] = str(end - start)
        part = start > 0 or end < size
        self.answer(206 if part else 200, hosted.data[start : end if stop is None else min(stop, end)], headers)

    def answer(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        """Send an answer."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
