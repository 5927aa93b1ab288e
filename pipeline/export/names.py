"""File names of samples: unique, possible on every file system, and legible to the tool that reads them."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Control characters and line separators, what one file system or another refuses, hidden names, spaces at the ends.
_UNSAFE = r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff/\\:*?"<>|]|^[\s.]|\s\Z'
_LONGEST = 180
"""Bytes of a stem: with endings added it stays below the 255 that file systems take."""


class Names:
    """Gives every sample its file stem; the export's samples.csv is the way back.

    A character that cannot stay is written as its UTF-8 bytes in hexadecimal, %2E for a dot. A name that is too long is
    cut and ends in a hash. Names that differ in nothing but case or Unicode form would be one file on some systems, so
    the later one is numbered.
    """

    def __init__(self, escaped: str = "") -> None:
        """`escaped` is a regular expression of what the tool's reader trips over."""
        self._pattern = re.compile(f"{_UNSAFE}|{escaped}" if escaped else _UNSAFE)
        self._taken: set[str] = set()

    def stem(self, sample_id: str) -> str:
        """The stem of one more sample; another one at every call."""
        name = _cut(self._pattern.sub(_hexadecimal, sample_id))
        unique, number = name, 1
        while _folded(unique) in self._taken:
            number += 1
            unique = f"{name}~{number}"
        self._taken.add(_folded(unique))
        return unique


def _hexadecimal(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())


def _cut(name: str) -> str:
    data = name.encode()
    if len(data) <= _LONGEST:
        return name
    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"{data[: _LONGEST - 17].decode(errors='ignore')}~{digest}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
