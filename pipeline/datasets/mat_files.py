"""MATLAB files (MAT, version 5) that hold joints: numbers, and cells of numbers.

A reader of our own: SciPy's trusts the file, and a damaged one ends the process with a segmentation fault. Structures, text and
sparse matrices are passed over; no data set read here needs them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.errors import DataError

_HEADER = 128
_LITTLE, _BIG = b"IM", b"MI"
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Type of a data element -> NumPy's."""
_MATRIX, _COMPRESSED = 14, 15
_CELL, _FIRST_NUMBER, _LAST_NUMBER = 1, 6, 15
"""Classes of arrays."""
_COMPLEX = 0x0800
_MOST = 64 << 20
"""Unpacked bytes of a variable; joints have a few hundred."""
_DEEPEST = 8
"""Cells in cells."""


def read_mat(data: bytes, name: str) -> dict[str, np.ndarray]:
    """Variable -> array of numbers, or of objects where it is a cell array, of a .mat file's bytes.

    Raises:
        DataError: the bytes are no whole .mat file.
    """
    try:
        order = {_LITTLE: "<", _BIG: ">"}.get(data[126:_HEADER])
        if order is None:
            raise ValueError("no header of a MAT-file of version 5")
        return dict(_variables(data[_HEADER:], order))
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise DataError(f"{name}: not a readable .mat file ({error}). Get the file again") from error


def _variables(data: bytes, order: str) -> Iterator[tuple[str, np.ndarray]]:
    for kind, content in _elements(data, order):
        if kind == _COMPRESSED:
            yield from _variables(_inflated(content), order)
        elif kind == _MATRIX:
            name, array = _array(content, order, 0)
            if array is not None:
                yield name, array


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(data, _MOST)
    if not stream.eof:
        raise ValueError(f"a variable is cut off, or unpacks to more than {_MOST} bytes")
    return content


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of the data elements, one after the other; short ones carry their content in their tag."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, place)
        if short := kind >> 16:
            kind, start, size, end = kind & 0xFFFF, place + 4, short, place + 8
        else:
            start = place + 8
            end = start + size + (0 if kind == _COMPRESSED else -size % 8)
        if size > len(data) - start or (short and size > 4):
            raise ValueError(f"an element of {size} bytes where {len(data) - start} are left")
        yield kind, data[start : start + size]
        place = end


def _array(content: bytes, order: str, depth: int) -> tuple[str, np.ndarray | None]:
    """Name and values of an array; no values where it is of a class that is passed over."""
    if not content:
        return "", np.zeros((0, 0))
    parts = _elements(content, order)
    flags, dimensions, name = (part for _, part in (next(parts, (0, b"")) for _ in range(3)))
    (bits,) = struct.unpack_from(f"{order}I", flags)
    shape = tuple(int(side) for side in np.frombuffer(dimensions, f"{order}i4"))
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of shape {shape}")
    kind = bits & 0xFF
    if kind == _CELL:
        values = _cells(parts, shape, order, depth)
    elif _FIRST_NUMBER <= kind <= _LAST_NUMBER and not bits & _COMPLEX:
        values = _numbers(*next(parts, (0, b"")), order)
    else:
        return name.decode("latin-1"), None
    if values.size != np.prod(shape, dtype=object):
        raise ValueError(f"{values.size} values for an array of shape {shape}")
    return name.decode("latin-1"), values.reshape(shape, order="F")


def _cells(parts: Iterator[tuple[int, bytes]], shape: tuple[int, ...], order: str, depth: int) -> np.ndarray:
    if depth == _DEEPEST:
        raise ValueError(f"cells in cells more than {_DEEPEST} deep")
    found = [_array(part, order, depth + 1)[1] for kind, part in parts if kind == _MATRIX]
    values = np.empty(len(found), object)
    for place, value in enumerate(found):
        values[place] = value
    return values


def _numbers(kind: int, content: bytes, order: str) -> np.ndarray:
    if kind not in _NUMBERS:
        raise ValueError(f"values of type {kind}")
    return np.frombuffer(content, order + _NUMBERS[kind])


def as_numbers(value: Any, shape: tuple[int, ...], name: str, what: str) -> np.ndarray:
    """float64 array of that shape.

    Raises:
        DataError: it has another number of values, or one that is no finite number.
    """
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: {what} holds something else than numbers. Get the file again") from error
    if array.size != int(np.prod(shape)) or (len(shape) > 1 and array.shape != shape) or not np.isfinite(array).all():
        raise DataError(f"{name}: {what} of shape {array.shape}, expected {shape} finite numbers. Get the file again")
    return array.reshape(shape)
