import os
from collections.abc import Iterator

import pytest

from tests.file_server import FileServer

# Test processes with a thread for each core would wait for one another; torch reads it when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A web server on this machine, reached without any proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer() as running:
        yield running
