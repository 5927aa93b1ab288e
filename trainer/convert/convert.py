"""A checkpoint file of the authors' code to a model file of this project."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor

from pipeline import taxonomy
from pipeline.errors import DataError, ParamsError
from pipeline.taxonomy import KeypointSet, LabelSet
from trainer import __version__
from trainer.checkpoints import ModelCard, write_model
from trainer.convert.checkpoint import checkpoint_weights
from trainer.convert.corrpm import corrpm_weights
from trainer.convert.keys import Renamed, filled
from trainer.convert.mula import mula_weights
from trainer.input_spec import input_spec
from trainer.models import model_feeding, model_names, model_of


class _Source(NamedTuple):
    """A code whose checkpoints are read.

    Attributes:
        rename: its key names to ours.
        size: of the inputs it was trained on.
        convention: of its heatmaps.
    """

    rename: Callable[[Mapping[str, Tensor]], Renamed]
    size: tuple[int, int]
    convention: str


SOURCES: Mapping[str, _Source] = MappingProxyType(
    {
        "corrpm": _Source(corrpm_weights, (384, 384), "corrpm"),
        "mula": _Source(mula_weights, (256, 256), "mula"),
    }
)
"""Name of the authors' code -> how its checkpoints are read."""


def convert_weights(source: str, file: Path, out: Path, label_set: str = "lip", keypoint_set: str = "lip16") -> str:
    """Write a checkpoint of the authors' code as a model file, with how its network is fed.

    Args:
        source: a key of SOURCES.
        file: the checkpoint; no code in it is run.
        out: the model file.
        label_set: what its classes are; a checkpoint does not tell.
        keypoint_set: what its joints are, likewise.

    Returns:
        The model's name.

    Raises:
        DataError: the file is damaged, or holds no network of the authors' code.
        ParamsError: the label or keypoint set is unknown or of another size than the network's.
    """
    code = SOURCES[source]
    weights = checkpoint_weights(file)
    try:
        found = code.rename(weights)
        card = _card(code, found, label_set, keypoint_set)
        write_model(out, card, filled(found.weights, model_of(card).state_dict()))
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    return card.model


def _card(code: _Source, found: Renamed, label_set: str, keypoint_set: str) -> ModelCard:
    parts, joints = _known(label_set, keypoint_set)
    if found.model not in model_names():
        raise DataError(f"its keys suggest a network {found.model!r}, which is not known")
    feeding = model_feeding(found.model)
    background = 1 if code.convention == "mula" else 0
    for option, names, answer, extra in (
        (f"--label-set {label_set}", parts.part_names, found.answers[0], 0),
        (f"--keypoint-set {keypoint_set}", joints.keypoint_names, found.answers[1], background),
    ):
        if answer not in found.weights:
            raise DataError(f"weight {answer!r} is missing. Give a whole checkpoint of the authors' code")
        count = len(found.weights[answer]) - extra
        if count != len(names):
            raise ParamsError(f"{option}: has {len(names)} names, the checkpoint's network {count}")
    return ModelCard(
        model=found.model,
        variant="official",
        options=found.options,
        label_set=parts.name,
        part_names=parts.part_names,
        keypoint_set=joints.name,
        keypoint_names=joints.keypoint_names,
        input_spec=input_spec("official", code.size, feeding),
        heatmaps={"stride": found.stride, "sigma": 7.0, "sigma_space": None, "convention": code.convention},
        training={},
        package_version=__version__,
    )


def _known(label_set: str, keypoint_set: str) -> tuple[LabelSet, KeypointSet]:
    try:
        return taxonomy.label_set(label_set), taxonomy.keypoint_set(keypoint_set)
    except ValueError as error:
        raise ParamsError(f"--label-set {label_set} --keypoint-set {keypoint_set}: {error}") from error
