"""The person detector of a teacher's file, whichever network it holds."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.detection.architectures import ARCHITECTURES, network_of
from pipeline.detection.base import PersonDetector
from pipeline.detection.batches import GPU_BATCH
from pipeline.detection.device import best_device
from pipeline.detection.torchvision_rcnn import TorchvisionDetector
from pipeline.teacher_file import read_teacher


def load_detector(file: str | Path) -> PersonDetector:
    """The detector of models/detector.safetensors, or of any file that fit_detector wrote, on the best device.

    Raises:
        DataError: the file is missing, damaged, or holds another kind of network.
    """
    teacher = read_teacher(Path(file), *ARCHITECTURES)
    device = best_device()
    network = network_of(teacher).to(device)
    threads = ARCHITECTURES[teacher.architecture].threads
    if device.type == "cpu":
        return TorchvisionDetector(network, teacher.teacher_id, threads)
    return TorchvisionDetector(network, teacher.teacher_id, threads, GPU_BATCH, torch.float16)
