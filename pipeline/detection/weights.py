"""Weights of detectors as others write them: where the published ones lie, and how a file becomes a teacher's."""

from __future__ import annotations

from pathlib import Path

from torchvision.models.detection import MaskRCNN_ResNet50_FPN_V2_Weights, MaskRCNN_ResNet50_FPN_Weights

from pipeline.detection import detectron2_rcnn
from pipeline.detection.architectures import ARCHITECTURES, architecture
from pipeline.detection.detectron2_model import config_text
from pipeline.detection.loading import detector_of
from pipeline.detection.mask_rcnn_resnet50 import V1, V2, FrozenResnetOptions, ResnetOptions
from pipeline.detection.published import detectron2_weights, torchvision_weights
from pipeline.detection.state_dict import fill_network, read_state_dict
from pipeline.errors import DataError
from pipeline.sources.files import RemoteFile
from pipeline.teacher_file import read_teacher, write_teacher

_PUBLISHED = {V1: MaskRCNN_ResNet50_FPN_Weights.COCO_V1, V2: MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1}
_CLASSES = "roi_heads.box_predictor.cls_score.weight"
_COUNTER = "backbone.body.bn1.num_batches_tracked"  # batch norm has it, frozen batch norm does not


def published(network: str) -> RemoteFile:
    """The published weights of a network: one of torchvision's, or a config of detectron2's model zoo.

    Raises:
        ParamsError: detectron2 is not installed, or none are published for its config.
    """
    return torchvision_weights(_PUBLISHED[network].url) if network in _PUBLISHED else detectron2_weights(network)


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
    state = read_state_dict(file)
    if _CLASSES not in state:
        raise DataError(f"{file}: lacks {_CLASSES!r}, expected the weights of {name}")
    classes = len(state[_CLASSES])
    options = ResnetOptions(classes) if name == V2 else FrozenResnetOptions(classes, frozen_norm=_COUNTER not in state)
    known = architecture(name)
    network = known.build(options, known.input)
    fill_network(network, state, name, file)
    write_teacher(target, network, name, options, known.input, "float32")
