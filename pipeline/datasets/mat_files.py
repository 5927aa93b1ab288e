"""MATLAB files that hold joints."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import scipy.io

from pipeline.errors import DataError


def read_mat(data: bytes, name: str) -> dict[str, np.ndarray]:
    """Variable -> array, of a .mat file's bytes.

    Raises:
        DataError: the bytes are no whole .mat file.
    """
    try:
        content = scipy.io.loadmat(io.BytesIO(data))
    except (ValueError, TypeError, KeyError, IndexError, OSError, EOFError, NotImplementedError, struct.error, zlib.error,
            scipy.io.matlab.MatReadError) as error:  # fmt: skip
        raise DataError(f"{name}: not a readable .mat file ({error}). Get the file again") from error
    return {key: np.asarray(value) for key, value in content.items() if not key.startswith("__")}


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
