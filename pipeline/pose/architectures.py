"""The pose networks by the names that teachers' files carry, and those that can be fitted here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from torch import nn

from pipeline.pose import detectron2_rcnn, keypoint_rcnn, simple_baseline
from pipeline.pose.base import PoseEstimator, PoseSettings
from pipeline.pose.crop_estimator import CropEstimator
from pipeline.pose.detectron2_rcnn import Detectron2PoseOptions, Detectron2RoiNetwork
from pipeline.pose.keypoint_rcnn import KeypointRcnnOptions, TorchvisionRoiNetwork
from pipeline.pose.rcnn import RcnnEstimator
from pipeline.pose.simple_baseline import PoseOptions, ResnetOptions
from pipeline.teacher_file import InputSpec, TeacherFile, build_options


@dataclass(frozen=True)
class PoseArchitecture:
    """How a teacher's file becomes a network and an estimator.

    Attributes:
        backend: the value of `pose.backend` under which it runs.
        options: dataclass of what the network is built from; has `keypoint_set`.
        build: options and input -> the network with random weights from torch's generator.
        estimator: the network with its weights, its file, its options, settings, threads -> the estimator.
        threads: of one operation on the CPU; a fixed number gives the same joints on any number of cores.
    """

    backend: str
    options: type
    build: Callable[[Any, InputSpec], nn.Module]
    estimator: Callable[[nn.Module, TeacherFile, Any, PoseSettings, int], PoseEstimator]
    threads: int


@dataclass(frozen=True)
class PoseChoice:
    """A network to fit: its architecture, options and input."""

    architecture: str
    options: Any
    input: InputSpec


def _crop_estimator(
    network: nn.Module, teacher: TeacherFile, options: Any, settings: PoseSettings, threads: int
) -> PoseEstimator:
    return CropEstimator(network, teacher.input, options, teacher.teacher_id, settings, threads)


def _rcnn_estimator(
    network: nn.Module, teacher: TeacherFile, options: Any, settings: PoseSettings, threads: int
) -> PoseEstimator:
    wrapped = TorchvisionRoiNetwork(cast(Any, network))
    return RcnnEstimator(wrapped, options.keypoint_set, teacher.teacher_id, settings, threads)


def _detectron2_estimator(
    network: nn.Module, teacher: TeacherFile, options: Any, settings: PoseSettings, threads: int
) -> PoseEstimator:
    wrapped = Detectron2RoiNetwork(network, options)
    return RcnnEstimator(wrapped, options.keypoint_set, teacher.teacher_id, settings, threads)


POSE_ARCHITECTURES: Mapping[str, PoseArchitecture] = MappingProxyType(
    {
        simple_baseline.ARCHITECTURE: PoseArchitecture(
            "simple_baseline", PoseOptions, simple_baseline.build, _crop_estimator, threads=1
        ),
        simple_baseline.RESNET_ARCHITECTURE: PoseArchitecture(
            "simple_baseline", ResnetOptions, simple_baseline.build, _crop_estimator, threads=4
        ),
        keypoint_rcnn.ARCHITECTURE: PoseArchitecture(
            "keypoint_rcnn", KeypointRcnnOptions, keypoint_rcnn.build, _rcnn_estimator, threads=4
        ),
        detectron2_rcnn.ARCHITECTURE: PoseArchitecture(
            "detectron2", Detectron2PoseOptions, detectron2_rcnn.build, _detectron2_estimator, threads=4
        ),
    }
)
"""Name in the file -> how it is built."""


def _resnet_choice(depth: int, height: int) -> PoseChoice:
    options = ResnetOptions(depth=cast(Any, depth), sigma_cells=height / 128)
    return PoseChoice(simple_baseline.RESNET_ARCHITECTURE, options, InputSpec(size=(height, height * 3 // 4)))


POSE_CHOICES: Mapping[str, PoseChoice] = MappingProxyType(
    {
        "small": PoseChoice(simple_baseline.ARCHITECTURE, PoseOptions(), simple_baseline.INPUT),
        "resnet50_256x192": _resnet_choice(50, 256),
        "resnet50_384x288": _resnet_choice(50, 384),
        "resnet101_256x192": _resnet_choice(101, 256),
        "resnet101_384x288": _resnet_choice(101, 384),
        "resnet152_256x192": _resnet_choice(152, 256),
        "resnet152_384x288": _resnet_choice(152, 384),
        "keypoint_rcnn": PoseChoice(keypoint_rcnn.ARCHITECTURE, KeypointRcnnOptions(), keypoint_rcnn.INPUT),
    }
)
"""Value of `pose.fit.architecture` -> the network that is fitted."""


def network_of(teacher: TeacherFile) -> tuple[nn.Module, Any]:
    """The network of a pose teacher's file with its weights, on the CPU, and its options.

    Raises:
        DataError: the weights or the options do not fit the architecture.
    """
    architecture = POSE_ARCHITECTURES[teacher.architecture]
    options = build_options(architecture.options, teacher)
    network = architecture.build(options, teacher.input)
    teacher.fill(network)
    return network.eval(), options
