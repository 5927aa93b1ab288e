"""Renaming of weights: the authors' key names to ours, every key accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pipeline.errors import DataError

_COUNTER = "num_batches_tracked"


class Renamed(NamedTuple):
    """A checkpoint's content under our names.

    Attributes:
        model: name for build_model.
        options: its options.
        weights: key -> tensor.
        answers: keys of the biases of a parsing and of a pose head, one value per class and per map.
        stride: input pixels per cell of the pose maps.
    """

    model: str
    options: dict[str, Any]
    weights: dict[str, Tensor]
    answers: tuple[str, str]
    stride: int


def without_wrappers(weights: Mapping[str, Tensor], wrappers: tuple[str, ...]) -> dict[str, Tensor]:
    """The weights with the prefixes of wrapping modules (DataParallel's "module") taken off their keys."""
    bare = dict(weights)
    for wrapper in wrappers:
        if bare and all(key.startswith(f"{wrapper}.") for key in bare):
            bare = {key.removeprefix(f"{wrapper}."): tensor for key, tensor in bare.items()}
    return bare


def renamed(weights: Mapping[str, Tensor], names: Mapping[str, str], unused: tuple[str, ...]) -> dict[str, Tensor]:
    """The weights under our names.

    Args:
        weights: key -> tensor.
        names: their module -> ours; a key belongs to the longest module that it starts with.
        unused: their modules that reach no output and have no counterpart here.

    Raises:
        DataError: a key belongs to no module of either list.
    """
    ours = {}
    for key, tensor in weights.items():
        if any(key.startswith(f"{module}.") for module in unused):
            continue
        parts = key.split(".")
        heads = (".".join(parts[:count]) for count in range(len(parts) - 1, 0, -1))
        module = next((head for head in heads if head in names), None)
        if module is None:
            raise DataError(f"key {key!r} is none of the authors' network. Give a checkpoint of their code")
        ours[names[module] + key.removeprefix(module)] = tensor
    return ours


def filled(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights in the order of a network's state_dict; norms of old PyTorch versions have no counter, which is 0.

    Raises:
        DataError: a weight is missing, too many, or of another shape.
    """
    counters = {key: tensor.new_zeros(()) for key, tensor in wanted.items() if key.endswith(_COUNTER)}
    weights = {**counters, **weights}
    for key in sorted(set(weights) ^ set(wanted)):
        state = "is missing" if key in wanted else "is too many"
        raise DataError(f"weight {key!r} {state} for the network that its keys suggest")
    for key, tensor in wanted.items():
        if weights[key].shape != tensor.shape:
            raise DataError(f"weight {key!r} is {tuple(weights[key].shape)}, expected {tuple(tensor.shape)}")
    return {key: weights[key] for key in wanted}


def channels_of(weights: Mapping[str, Tensor], classifier: str) -> int:
    """Input channels of a classifier's weight.

    Raises:
        DataError: there is no such weight.
    """
    if classifier not in weights:
        raise DataError(f"weight {classifier!r} is missing. Give a whole checkpoint of the authors' code")
    return weights[classifier].shape[1]
