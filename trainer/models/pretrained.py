"""ImageNet weights for backbones: where they lie, and how a file of them is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from pipeline.errors import DataError
from trainer.checkpoints import load_content
from trainer.models.backbones import ResNet, Stem
from trainer.models.prediction import ParsingNetwork
from trainer.models.timm_features import TimmFeatures, published_address, weights_of_file

_TORCHVISION = "https://download.pytorch.org/models"
_SCENE_PARSING = "http://sceneparsing.csail.mit.edu/model/pretrained_resnet"

_ADDRESSES: Mapping[tuple[str, Stem], str] = MappingProxyType(
    {
        ("resnet18", "plain"): f"{_TORCHVISION}/resnet18-f37072fd.pth",
        ("resnet50", "plain"): f"{_TORCHVISION}/resnet50-0676ba61.pth",
        ("resnet101", "plain"): f"{_TORCHVISION}/resnet101-63fe2227.pth",
        ("resnet18", "three"): f"{_SCENE_PARSING}/resnet18-imagenet.pth",
        ("resnet50", "three"): f"{_SCENE_PARSING}/resnet50-imagenet.pth",
        ("resnet101", "three"): f"{_SCENE_PARSING}/resnet101-imagenet.pth",
    }
)
"""torchvision's own weights, and those that CorrPM's launch script begins with, of networks with three convolutions."""

_STEMS: Mapping[Stem, Mapping[str, str]] = MappingProxyType(
    {
        "plain": {"conv1": "stem.0", "bn1": "stem.1"},
        "three": {
            "conv1": "stem.0", "bn1": "stem.1", "conv2": "stem.3", "bn2": "stem.4", "conv3": "stem.6", "bn3": "stem.7"
        },
    }
)  # fmt: skip
"""Layers of the stem in the files -> ours; all other layers are called alike."""

_COUNTER = "num_batches_tracked"  # of batch norm; old files lack it


class Published(NamedTuple):
    """A published file of weights.

    Attributes:
        name: to call it.
        url: where it lies.
        sha256_start: the first digits of its SHA-256, where its name tells them; else empty.
    """

    name: str
    url: str
    sha256_start: str


def published_weights(network: ParsingNetwork) -> Published:
    """The ImageNet weights of a network's backbone.

    Raises:
        ValueError: the network has no backbone, or none are known for it.
    """
    backbone = _backbone(network)
    if isinstance(backbone, TimmFeatures):
        url = published_address(backbone.name)
    else:
        url = _ADDRESSES.get((backbone.name, backbone.stem_kind))
    if url is None:
        known = ", ".join(sorted({name for name, _ in _ADDRESSES}))
        raise ValueError(
            f"backbone_weights: no ImageNet weights are known for {backbone.name!r}, only for {known}. Give a file, or null"
        )
    file = PurePosixPath(urlsplit(url).path)
    digits = re.search(r"-([0-9a-f]{8,64})\.\w+$", file.name)
    name = file.name if isinstance(backbone, ResNet) else f"timm-{backbone.name}{file.suffix}"
    return Published(name, url, digits[1] if digits else "")


def load_backbone(network: ParsingNetwork, file: Path, order: Literal["rgb", "bgr"]) -> None:
    """Put a file's weights into a network's backbone; a classifier in it is left out.

    Files of plain stems and of timm expect RGB: for a network fed BGR the first layer's input channels change places.
    Those of the stem of three convolutions are used as they are, as CorrPM's code does.

    Args:
        network: with a backbone.
        file: a state_dict, torch's or safetensors.
        order: of the channels that the network is fed.

    Raises:
        ValueError: the network has no backbone.
        DataError: the file cannot be read, or holds the weights of another network.
    """
    backbone = _backbone(network)
    if isinstance(backbone, TimmFeatures):
        try:
            backbone.features.load_state_dict(weights_of_file(backbone, str(file)))
        except (ValueError, RuntimeError, OSError, SafetensorError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{file}: {first}; expected the weights of timm's {backbone.name}") from error
    else:
        _fill(backbone, file)
    if order == "bgr" and not (isinstance(backbone, ResNet) and backbone.stem_kind == "three"):
        first_layer = next(layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d))
        with torch.no_grad():
            first_layer.weight.copy_(first_layer.weight.flip(1))


def _backbone(network: ParsingNetwork) -> ResNet | TimmFeatures:
    backbone = getattr(network, "backbone", None)
    if not isinstance(backbone, ResNet | TimmFeatures):
        raise ValueError("backbone_weights: the model has no backbone that takes weights, expected null")
    return backbone


def _fill(backbone: ResNet, file: Path) -> None:
    begins = "one convolution of 7x7" if backbone.stem_kind == "plain" else "three convolutions of 3x3"
    expected = f"expected the weights of a {backbone.name} that begins with {begins}"
    names = _STEMS[backbone.stem_kind]
    given = {}
    for key, tensor in _read(file).items():
        layer, _, rest = key.partition(".")
        if layer != "fc":
            given[f"{names.get(layer, layer)}.{rest}"] = tensor
    places = backbone.state_dict()
    for problem, keys in (
        ("lacks", [key for key in places if key not in given and not key.endswith(_COUNTER)]),
        ("has the unknown", [key for key in given if key not in places]),
    ):
        if keys:
            raise DataError(f"{file}: {problem} {keys[0]!r} ({len(keys)} such tensors), {expected}")
    for key, tensor in given.items():
        if tensor.shape != places[key].shape:
            shapes = f"{tuple(tensor.shape)}, expected {tuple(places[key].shape)}"
            raise DataError(f"{file}: {key!r} is {shapes}; {expected}")
    backbone.load_state_dict(given, strict=False)  # only counters may be missing


def _read(file: Path) -> Mapping[str, Tensor]:
    try:
        content = load_file(file) if file.suffix == ".safetensors" else load_content(file)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{file}: not a whole safetensors file ({error}). Get it again") from error
    weights = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise DataError(f"{file}: holds no weights by name, expected a state_dict")
    return weights
