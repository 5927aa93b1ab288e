"""The person detector of a teacher's file, whichever network it holds."""

from __future__ import annotations

from pathlib import Path

from pipeline.detection.base import PersonDetector


def load_detector(file: str | Path) -> PersonDetector:
    """The detector of models/detector.safetensors, or of any file that fit_detector wrote.

    Raises:
        DataError: the file is missing, damaged, or holds another kind of network.
    """
    from pipeline.detection.torchvision_rcnn import load_detector as load_torchvision

    return load_torchvision(file)
