"""The person detector of a teacher's file, whichever network it holds."""

from __future__ import annotations

from pathlib import Path

from pipeline.detection.architectures import ARCHITECTURES, network_of
from pipeline.detection.base import PersonDetector
from pipeline.detection.torchvision_rcnn import TorchvisionDetector
from pipeline.teacher_file import read_teacher


def load_detector(file: str | Path, device: str = "cpu") -> PersonDetector:
    """The detector of models/detector.safetensors, or of any file that fit_detector wrote.

    Raises:
        DataError: the file is missing, damaged, or holds another kind of network.
    """
    teacher = read_teacher(Path(file), *ARCHITECTURES)
    threads = ARCHITECTURES[teacher.architecture].threads
    return TorchvisionDetector(network_of(teacher).to(device), teacher.teacher_id, threads)
