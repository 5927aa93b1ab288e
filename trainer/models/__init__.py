"""Networks that parse people: built by name, or loaded with the weights that training saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from pipeline.errors import DataError
from trainer.checkpoints import ModelCard, read_model
from trainer.input_spec import Feeding
from trainer.models.baselines import CE2P, DeepLabV2, FCN8s
from trainer.models.corrpm import CORRPM_ROWS, CorrPM
from trainer.models.mula import MULA_ROWS, MuLA
from trainer.models.multi_task import MultiTask
from trainer.models.prediction import ParsingNetwork, Prediction
from trainer.models.prediction_path import for_prediction

MODELS: Mapping[str, Callable[..., ParsingNetwork]] = MappingProxyType(
    {
        **{name: partial(CorrPM, design=design) for name, design in CORRPM_ROWS.items()},
        **{name: partial(MuLA, design=design) for name, design in MULA_ROWS.items()},
        "vgg16-fcn-mtl": MultiTask,
        "fcn-8s": FCN8s,
        "deeplabv2": DeepLabV2,
        "ce2p": CE2P,
    }
)
"""Name -> network; a row of the papers' ablation tables is a network with its design filled in."""

VARIANTS = ("paper", "official")


def model_names() -> tuple[str, ...]:
    """Names that `build_model` knows."""
    return tuple(MODELS)


def model_options(name: str) -> tuple[str, ...]:
    """Names of the options that a model takes.

    Raises:
        ValueError: the model is not known.
    """
    if name not in MODELS:
        raise ValueError(f"name: model {name!r} is unknown, expected one of {', '.join(MODELS)}")
    network = MODELS[name]
    filled_in = network.keywords if isinstance(network, partial) else {}
    parameters = signature(network).parameters.items()
    return tuple(key for key, value in parameters if value.kind is value.KEYWORD_ONLY and key not in filled_in)


def model_feeding(name: str) -> Feeding:
    """Mean and deviation of the images that a known model is fed."""
    network = MODELS[name]
    kind: Any = network.func if isinstance(network, partial) else network
    return kind.feeding


def build_model(
    name: str, num_classes: int, num_keypoints: int, variant: str = "official", **options: Any
) -> ParsingNetwork:
    """A network with fresh weights, drawn from torch's generator.

    Its forward takes images (N, 3, H, W) and returns a Prediction. Its weights lie channels last, which is the faster
    order where images do, too.

    Args:
        name: one of `model_names()`.
        num_classes: part classes with the background.
        num_keypoints: joints of the pose head.
        variant: "paper" or "official", where the text and the authors' code differ.
        **options: keyword arguments of the model's class.

    Raises:
        ValueError: the name, the variant, an option or a value is not known.
    """
    accepted = model_options(name)
    if variant not in VARIANTS:
        raise ValueError(f"variant: {variant!r} is unknown, expected one of {', '.join(VARIANTS)}")
    for argument, count, least in (("num_classes", num_classes, 2), ("num_keypoints", num_keypoints, 1)):
        if count < least:
            raise ValueError(f"{argument}: {count}, expected at least {least}")
    for option in options:
        if option not in accepted:
            raise ValueError(f"{option}: model {name!r} has no such option, it takes {', '.join(accepted)}")
    return MODELS[name](num_classes, num_keypoints, variant, **options).to(memory_format=torch.channels_last)


def model_of(card: ModelCard) -> ParsingNetwork:
    """The network that a card describes, with fresh weights."""
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in card.options.items()}
    return build_model(card.model, len(card.part_names), len(card.keypoint_names), card.variant, **options)


def load_model(checkpoint_file: str | Path) -> ParsingNetwork:
    """The network of a model file, on the CPU and in evaluation mode.

    Raises:
        DataError: the file is missing or damaged, or its weights do not fit the network that its card names.
    """
    file = Path(checkpoint_file)
    card, weights = read_model(file)
    try:
        model = model_of(card)
        model.load_state_dict(weights)
    except (RuntimeError, ValueError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise DataError(f"{file}: its weights and its card do not fit ({first}). Run `hpp train` again") from error
    return model.eval()


__all__ = [
    "MODELS",
    "VARIANTS",
    "ModelCard",
    "ParsingNetwork",
    "Prediction",
    "build_model",
    "for_prediction",
    "load_model",
    "model_feeding",
    "model_names",
    "model_of",
    "model_options",
]
