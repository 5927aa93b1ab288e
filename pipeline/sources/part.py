"""The unfinished file of a download, and what must still hold at its origin for it to be continued."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Origin:
    """Where an unfinished file comes from.

    Attributes:
        url: the address it was begun with.
        validator: names the content there (an ETag, a date, an object's version); None where the host gives none.
        total: bytes of the whole file, where told.
    """

    url: str
    validator: str | None
    total: int | None


class Part:
    """`<name>.part` and, beside it, its origin."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(path.name + ".json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    def origin(self, url: str) -> Origin | None:
        """The origin of the bytes so far, if they came from `url` and can be told apart from other content."""
        try:
            origin = Origin(**json.loads(self._note.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        known = origin.validator is not None or origin.total is not None
        return origin if self.size and known and origin.url == url else None

    def begin(self, origin: Origin) -> IO[bytes]:
        """Start over: an empty file of that origin, opened for writing."""
        self.discard()
        self._note.write_text(json.dumps(asdict(origin)), encoding="utf-8")
        return self.path.open("wb")

    def discard(self) -> None:
        """Forget the bytes so far."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the whole and checked file its name."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        self._note.unlink(missing_ok=True)
