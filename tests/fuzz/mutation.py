"""Seeded damage: bytes flipped, cut, spliced and doubled; values of JSON exchanged for strange ones."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

TOKENS = (
    b"[" * 2000, b"{" * 2000, b'"', b"\x00", b"\xff\xfe", b"1e999", b"-1", b"NaN", b"9" * 5000, b"\r\n", b",," * 50, b"&a [*a]",
    b"\xe2\x80\xae", b"!!python/object/apply:os.system ['true']", b"\x7fELF", b"../../", b"%s%n",
    b"2001-13-45", b"!!int ''", b"!!timestamp x", b"\xff\xff\xff\x7f", b"\x80" * 8,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 255, 256, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e308, -1e308, float("nan"), float("inf"), "", "a",
    "../../x", "\x00", "9" * 200, [], {}, [[]], [None], {"a": 1}, [1, 2, 3], [[0, 0, 1e9, 0, 1e9, 1e9]], "person", [0] * 51,
    {"size": [12, 8], "counts": "0"}, {"size": [2**31, 2**31], "counts": [2**62]}, {"size": [12, 8], "counts": [96]},
    {"size": [12, 8], "counts": [-1, 97]}, {"counts": 5},
)  # fmt: skip


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """The bytes with one to four kinds of damage; JSON is damaged as such three times in four."""
    if data[:1] in (b"{", b"[") and random.random() < 0.75:
        content = json.loads(data)
        for _ in range(random.integers(1, 4)):
            content = exchanged(content, random)
        return json.dumps(content).encode()
    buffer = bytearray(data)
    for _ in range(random.integers(1, 5)):
        place = int(random.integers(len(buffer) + 1))
        length = int(min(len(buffer) - place, random.integers(1, 64)))
        kind = random.integers(6)
        if kind == 0 and place < len(buffer):
            buffer[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            buffer[place : place + length] = random.bytes(length)
        elif kind == 2:
            del buffer[place : place + length]
        elif kind == 3:
            other = int(random.integers(len(buffer) + 1))
            buffer[place:place] = buffer[other : other + length]
        elif kind == 4:
            buffer[place:place] = TOKENS[int(random.integers(len(TOKENS)))]
        elif random.random() < 0.2:
            del buffer[place:]
    return bytes(buffer)


def exchanged(content: Any, random: np.random.Generator) -> Any:
    """A JSON value with one value in it, at any depth, exchanged for a strange one, left out, or put in twice."""
    if isinstance(content, dict) and content and random.random() < 0.85:
        key = list(content)[int(random.integers(len(content)))]
        changed = dict(content)
        if random.random() < 0.1:
            del changed[key]
        else:
            changed[key] = exchanged(content[key], random)
        return changed
    if isinstance(content, list) and content and random.random() < 0.85:
        place = int(random.integers(len(content)))
        chance = random.random()
        if chance < 0.1:
            return content[:place] + content[place + 1 :]
        if chance < 0.2:
            return [*content, content[place]]
        return [*content[:place], exchanged(content[place], random), *content[place + 1 :]]
    return VALUES[int(random.integers(len(VALUES)))]
