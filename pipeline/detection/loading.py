"""The person detector of a teacher's file, whichever network it holds."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.detection.architectures import ARCHITECTURES, network_of
from pipeline.detection.base import PersonDetector
from pipeline.detection.batches import GPU_BATCH
from pipeline.detection.detectron2_rcnn import ARCHITECTURE as DETECTRON2
from pipeline.detection.detectron2_rcnn import load_detectron2
from pipeline.detection.device import best_device
from pipeline.detection.torchvision_rcnn import TorchvisionDetector
from pipeline.teacher_file import TeacherFile, read_teacher


def load_detector(file: str | Path, device: torch.device | None = None) -> PersonDetector:
    """The detector of models/detector.safetensors, or of any file that fit_detector wrote.

    Args:
        device: None is the GPU if there is one, else the CPU.

    Raises:
        DataError: the file is missing, damaged, or holds another kind of network.
        ParamsError: it is of detectron2, which is not installed.
    """
    return detector_of(read_teacher(Path(file), *ARCHITECTURES, DETECTRON2), device)


def detector_of(teacher: TeacherFile, device: torch.device | None = None) -> PersonDetector:
    """As `load_detector`, of a file that has been read.

    Raises:
        DataError: the weights or the options do not fit the architecture.
        ParamsError: it is of detectron2, which is not installed.
    """
    device = device or best_device()
    on_gpu = device.type != "cpu"
    if teacher.architecture == DETECTRON2:
        return load_detectron2(teacher, device, GPU_BATCH if on_gpu else 1)
    network = network_of(teacher).to(device)
    threads = ARCHITECTURES[teacher.architecture].threads
    if not on_gpu:
        return TorchvisionDetector(network, teacher.teacher_id, threads)
    return TorchvisionDetector(network, teacher.teacher_id, threads, GPU_BATCH, torch.float16)
