"""A teacher's weights as one file: safetensors whose metadata say what network they fit and how it is fed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pipeline.errors import DataError
from pipeline.shards.write import replace_file

_KEY = "teacher"  # one metadata key: safetensors writes several in no fixed order
_COUNTER = "num_batches_tracked"  # of batch norm; nothing reads it


class Network(Protocol):
    """What is needed of a torch module here."""

    def state_dict(self) -> Mapping[str, Any]:
        """Name -> tensor that shares the module's memory."""


@dataclass(frozen=True)
class InputSpec:
    """How an image becomes a network's input: (pixel / 255 - mean) / std.

    Attributes:
        order: of the channels; mean and std are in this order.
        size: (height, width) in pixels of a pose network's crop; for a detector the length that the shorter side is
            brought to, and the longest that the longer side may get.
    """

    size: tuple[int, int]
    order: str = "RGB"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class TeacherFile:
    """A teacher as read from its file.

    Attributes:
        path: the file, for errors.
        architecture: the network's name.
        options: the arguments it is built with.
        input: how it is fed.
        tensors: name -> float32 array.
        teacher_id: architecture and the first 12 digits of the file's SHA-256.
    """

    path: Path
    architecture: str
    options: Mapping[str, Any]
    input: InputSpec
    tensors: Mapping[str, np.ndarray]
    teacher_id: str

    def fill(self, network: Network) -> None:
        """Copy the weights into a network.

        Raises:
            DataError: a tensor is missing, left over or of another shape.
        """
        places = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(_COUNTER)}
        for problem, names in (
            ("lacks", sorted(places.keys() - self.tensors.keys())),
            ("has the unknown", sorted(self.tensors.keys() - places.keys())),
        ):
            if names:
                raise DataError(
                    f"{self.path}: {problem} {names[0]!r} ({len(names)} such tensors), expected the weights of "
                    f"{self.architecture} with its own options. Fit the teacher again"
                )
        for name, place in places.items():
            values = self.tensors[name]
            if values.shape != tuple(place.shape):
                raise DataError(
                    f"{self.path}: {name!r} has shape {values.shape}, expected {tuple(place.shape)}. Fit the teacher again"
                )
        for name, place in places.items():
            place.copy_(place.new_tensor(self.tensors[name]))


def write_teacher(
    path: Path,
    network: Network,
    architecture: str,
    options: Any,
    spec: InputSpec,
    precision: Literal["float16", "float32"] = "float16",
) -> None:
    """Write a network's weights; the same bytes for the same weights, whole or not at all.

    Args:
        options: a dataclass of plain values, enough to build the network again.
        precision: float16 halves the file; float32 keeps published weights as they are.

    Raises:
        ValueError: a weight is not finite in that precision.
    """
    with np.errstate(over="ignore"):
        arrays = {
            name: tensor.detach().cpu().numpy().astype(precision, order="C")  # channels last is another order
            for name, tensor in sorted(network.state_dict().items())
            if not name.endswith(_COUNTER)
        }
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ValueError(f"network: {name!r} holds values that are not finite in {precision}")
    content = {"architecture": architecture, "options": asdict(options), "input": asdict(spec)}
    data = save(arrays, metadata={_KEY: json.dumps(content, sort_keys=True)})
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, data)


def read_teacher(path: Path, *architectures: str) -> TeacherFile:
    """Read a teacher of one of these architectures.

    Raises:
        DataError: the file is missing, no safetensors file of a teacher, or of another architecture.
    """
    expected = " or ".join(architectures)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: not readable ({error.strerror}), expected the weights of {expected}") from error
    try:
        tensors = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise DataError(f"{path}: no whole safetensors file ({error}). Fit or download the teacher again") from error
    try:
        content = _metadata(data)
        if content is None:
            raise DataError(
                f"{path}: a safetensors file without a teacher's metadata, expected the weights of {expected}"
            )
        architecture, options, fed = content["architecture"], dict(content["options"]), content["input"]
        spec = InputSpec(tuple(fed["size"]), fed["order"], tuple(fed["mean"]), tuple(fed["std"]))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: its teacher's metadata is damaged ({error!r}). Fit or download the teacher again"
        ) from error
    if architecture not in architectures:
        names = " or ".join(map(repr, architectures))
        raise DataError(f"{path}: holds the weights of {architecture!r}, expected {names}")
    return TeacherFile(
        path=path,
        architecture=architecture,
        options=options,
        input=spec,
        tensors={name: values.astype(np.float32, copy=False) for name, values in tensors.items()},
        teacher_id=f"{architecture}-{hashlib.sha256(data).hexdigest()[:12]}",
    )


def build_options(kind: type, teacher: TeacherFile) -> Any:
    """The options dataclass of a teacher's file, lists turned into tuples.

    Raises:
        DataError: the file names options that this version does not know.
    """
    try:
        return kind(**{name: _tuples(value) for name, value in teacher.options.items()})
    except TypeError as error:
        raise DataError(f"{teacher.path}: options of {teacher.architecture} do not fit: {error}") from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list) else value


def _metadata(data: bytes) -> dict[str, Any] | None:
    """The teacher's metadata in a safetensors header: 8 bytes of length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + length]).get("__metadata__", {}).get(_KEY)
    return None if text is None else json.loads(text)
