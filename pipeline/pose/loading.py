"""The pose estimator of a teacher's file, whichever network it holds."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.detection.device import best_device
from pipeline.pose.architectures import POSE_ARCHITECTURES, network_of
from pipeline.pose.base import DEFAULT_SETTINGS, PoseEstimator, PoseSettings
from pipeline.teacher_file import read_teacher


def load_estimator(
    file: str | Path, settings: PoseSettings = DEFAULT_SETTINGS, device: torch.device | None = None
) -> PoseEstimator:
    """The estimator of models/pose.safetensors, or of any file of a pose teacher.

    Args:
        device: None is the GPU if there is one, else the CPU.

    Raises:
        DataError: the file is missing, damaged, or holds another kind of network.
    """
    teacher = read_teacher(Path(file), *POSE_ARCHITECTURES)
    architecture = POSE_ARCHITECTURES[teacher.architecture]
    network, options = network_of(teacher)
    network = network.to(device or best_device())
    return architecture.estimator(network, teacher, options, settings, architecture.threads)
