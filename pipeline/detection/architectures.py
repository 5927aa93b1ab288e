"""The Mask R-CNNs that can be built, fitted and loaded, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torchvision.models.detection import MaskRCNN

from pipeline.detection import mask_rcnn_basic as basic
from pipeline.detection import mask_rcnn_resnet50 as resnet50
from pipeline.teacher_file import InputSpec, TeacherFile, build_options


@dataclass(frozen=True)
class Architecture:
    """How a network of torchvision's parts comes to be; class 1 is the person.

    Attributes:
        options: the dataclass that it is built from; its defaults are those of a network for people only.
        input: how it is fed unless said otherwise.
        build: (options, input) -> the network with random weights from torch's generator.
        threads: of one operation on the CPU.
    """

    options: type
    input: InputSpec
    build: Callable[[Any, InputSpec], MaskRCNN]
    threads: int


ARCHITECTURES: Mapping[str, Architecture] = {
    basic.ARCHITECTURE: Architecture(basic.RcnnOptions, basic.INPUT, basic.build_rcnn, basic.THREADS),
    resnet50.V1: Architecture(resnet50.FrozenResnetOptions, resnet50.INPUT, resnet50.build_v1, resnet50.THREADS),
    resnet50.V2: Architecture(resnet50.ResnetOptions, resnet50.INPUT, resnet50.build_v2, resnet50.THREADS),
}


def architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"name: {name!r} is no detector's architecture; known are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def network_of(teacher: TeacherFile) -> MaskRCNN:
    """The network of a teacher's file, with its weights.

    Raises:
        DataError: the weights or the options do not fit the architecture.
    """
    known = architecture(teacher.architecture)
    network = known.build(build_options(known.options, teacher), teacher.input)
    teacher.fill(network)
    return network
