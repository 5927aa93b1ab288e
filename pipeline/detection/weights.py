"""Weights of detectors as others write them: where the published ones lie, and how a file becomes a teacher's."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights, MaskRCNN_ResNet50_FPN_Weights

from pipeline.detection import detectron2_rcnn
from pipeline.detection.architectures import ARCHITECTURES, architecture
from pipeline.detection.detectron2_model import config_text, published_weights
from pipeline.detection.loading import detector_of
from pipeline.detection.mask_rcnn_resnet50 import V1, V2, FrozenResnetOptions, ResnetOptions
from pipeline.errors import DataError
from pipeline.teacher_file import read_teacher, write_teacher

_PUBLISHED = {V1: MaskRCNN_ResNet50_FPN_Weights.COCO_V1, V2: MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1}
_CLASSES = "roi_heads.box_predictor.cls_score.weight"
_COUNTER = "backbone.body.bn1.num_batches_tracked"  # batch norm has it, frozen batch norm does not


@dataclass(frozen=True)
class PublishedWeights:
    """Weights fitted on COCO.

    Attributes:
        url: their address.
        checksums: algorithm of hashlib -> the first digits, which the file's name carries.
    """

    url: str
    checksums: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


def published(network: str) -> PublishedWeights:
    """The published weights of a network: one of torchvision's, or a config of detectron2's model zoo.

    Raises:
        ParamsError: detectron2 is not installed, or none are published for its config.
    """
    if network not in _PUBLISHED:
        url, digits = published_weights(network)
        return PublishedWeights(url, {"md5": digits} if digits else {})
    url = _PUBLISHED[network].url
    found = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    return PublishedWeights(url, {"sha256": found[1]} if found else {})


def convert_weights(network: str, file: Path, target: Path) -> None:
    """Write torchvision's or detectron2's weights as a teacher's file, in float32 as they are.

    Args:
        network: an architecture of torchvision's, or a config of detectron2.
        file: a state dict of torchvision's model (.pth); .pkl or .pth of detectron2.

    Raises:
        DataError: the file is unreadable or not of that network.
        ParamsError: detectron2 is not installed, or has no such config.
    """
    if network in _PUBLISHED:
        _convert_state_dict(network, file, target)
    elif network in ARCHITECTURES:
        raise DataError(f"{file}: expected the .safetensors of a {network} that was fitted here")
    else:
        detectron2_rcnn.convert_weights(network, file, target)


def check_teacher(network: str, file: Path) -> None:
    """Make sure that a teacher's file holds that network, and that it loads.

    Raises:
        DataError: it holds another one, or is damaged.
        ParamsError: detectron2 is not installed, or has no such config.
    """
    if network in ARCHITECTURES:
        detector_of(read_teacher(file, network))
        return
    teacher = read_teacher(file, detectron2_rcnn.ARCHITECTURE)
    if teacher.options.get("config") != config_text(detectron2_rcnn.mask_config(network)):
        raise DataError(
            f"{file}: its weights were made with another config than {network}. Give the one they belong to"
        )
    detector_of(teacher)


def _convert_state_dict(name: str, file: Path, target: Path) -> None:
    state = _state_dict(file)
    if _CLASSES not in state:
        raise DataError(f"{file}: lacks {_CLASSES!r}, expected the weights of {name}")
    classes = len(state[_CLASSES])
    options = ResnetOptions(classes) if name == V2 else FrozenResnetOptions(classes, frozen_norm=_COUNTER not in state)
    known = architecture(name)
    network = known.build(options, known.input)
    try:
        # torchvision's own loading, since it knows the names that its older files have.
        missing, unknown = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        raise DataError(f"{file}: weights of another shape than {name} has: {_first_mismatch(error)}") from error
    for problem, names in (("lacks", missing), ("has the unknown", unknown)):
        if names:
            raise DataError(
                f"{file}: {problem} {names[0]!r} ({len(names)} such tensors), expected the weights of {name}"
            )
    write_teacher(target, network, name, options, known.input, "float32")


def _state_dict(file: Path) -> Mapping[str, Tensor]:
    """Name -> tensor of a file of torch.save: a state dict, or a checkpoint of torchvision's scripts that holds one."""
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file}: not readable as a PyTorch state dict ({' '.join(str(error).split())[:160]})"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(f"{file}: holds no PyTorch state dict. Save it with torch.save(model.state_dict(), FILE)")
    return content


def _first_mismatch(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip().startswith("size mismatch")]
    return lines[0] if lines else " ".join(str(error).split())[:160]
