"""Weights of pose networks as others write them: where the published ones lie, and how a file becomes a teacher's."""

from __future__ import annotations

from pathlib import Path

from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights

from pipeline.detection.detectron2_model import config_text
from pipeline.detection.published import detectron2_weights, torchvision_weights
from pipeline.detection.state_dict import fill_network, read_state_dict
from pipeline.errors import DataError, ParamsError
from pipeline.pose import detectron2_rcnn, keypoint_rcnn
from pipeline.pose.architectures import POSE_ARCHITECTURES, network_of
from pipeline.pose.keypoint_rcnn import KeypointRcnnOptions
from pipeline.sources.files import RemoteFile
from pipeline.taxonomy import KEYPOINT_SETS
from pipeline.teacher_file import read_teacher, write_teacher

SIMPLE_BASELINE, KEYPOINT_RCNN = "simple_baseline", "keypoint_rcnn"
_PREDICTOR = "roi_heads.keypoint_predictor.kps_score_lowres.bias"
_COUNTER = "backbone.body.bn1.num_batches_tracked"  # batch norm has it, frozen batch norm does not
_JOINTS = KEYPOINT_SETS["coco17"]
_AUTHORS_PAGE = "https://github.com/microsoft/human-pose-estimation.pytorch"


def published(network: str) -> RemoteFile:
    """The weights that are published for a network, at an address of their own.

    Args:
        network: keypoint_rcnn, simple_baseline, or a config of detectron2's model zoo.

    Raises:
        ParamsError: there are none, or none that a program can get; or detectron2 is not installed.
    """
    if network == KEYPOINT_RCNN:
        return torchvision_weights(KeypointRCNN_ResNet50_FPN_Weights.COCO_V1.url)
    if network != SIMPLE_BASELINE:
        return detectron2_weights(network)
    raise ParamsError(
        "pose.weights: coco: the authors keep their Simple Baselines on drives that ask who you are. Get "
        f"pose_resnet_50_256x192.pth.tar, or another of their folder pose_coco, by the links on {_AUTHORS_PAGE}, turn it with "
        "`hpp convert-weights --from simple-baseline pose_resnet_50_256x192.pth.tar data/manual/weights/pose.safetensors` "
        "and set pose.weights to what that wrote"
    )


def convert_weights(network: str, file: Path, target: Path) -> None:
    """Write torchvision's or detectron2's weights as a teacher's file, in float32 as they are.

    Args:
        network: keypoint_rcnn, simple_baseline, or a config of detectron2: a name in its model zoo, or a YAML file.
        file: a state dict of torchvision's model (.pth); .pkl or .pth of detectron2.

    Raises:
        DataError: the file is unreadable or not of that network.
        ParamsError: detectron2 is not installed, or there is no such config.
    """
    if network == KEYPOINT_RCNN:
        _convert_keypoint_rcnn(file, target)
    elif network == SIMPLE_BASELINE:
        raise DataError(
            f"{file}: expected a .safetensors file of a pose teacher. Turn a checkpoint of the authors' code with "
            "`hpp convert-weights --from simple-baseline`"
        )
    else:
        detectron2_rcnn.convert_weights(network, file, target)


def check_teacher(network: str, file: Path) -> None:
    """Make sure that a teacher's file is of that network, and that its weights load.

    Raises:
        DataError: it holds another network, or is damaged.
        ParamsError: detectron2 is not installed, or there is no such config.
    """
    backend = network if network in (KEYPOINT_RCNN, SIMPLE_BASELINE) else "detectron2"
    teacher = read_teacher(file, *(name for name, known in POSE_ARCHITECTURES.items() if known.backend == backend))
    if backend == "detectron2" and teacher.options.get("config") != config_text(
        detectron2_rcnn.keypoint_config(network)
    ):
        raise DataError(
            f"{file}: its weights were made with another config than {network}. Give the one they belong to"
        )
    network_of(teacher)


def _convert_keypoint_rcnn(file: Path, target: Path) -> None:
    state, name = read_state_dict(file), keypoint_rcnn.ARCHITECTURE
    if _PREDICTOR not in state:
        raise DataError(f"{file}: lacks {_PREDICTOR!r}, expected the weights of {name}")
    count = len(state[_PREDICTOR])
    if count != len(_JOINTS):
        raise DataError(f"{file}: finds {count} joints, expected the {len(_JOINTS)} of {_JOINTS.name}")
    options = KeypointRcnnOptions(frozen_norm=_COUNTER not in state)
    network = keypoint_rcnn.build(options, keypoint_rcnn.INPUT)
    fill_network(network, state, name, file)
    write_teacher(target, network, name, options, keypoint_rcnn.INPUT, "float32")
