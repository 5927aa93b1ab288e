"""The pose estimator of a teacher's file, whichever network it holds."""

from __future__ import annotations

from pathlib import Path

from pipeline.pose.base import PoseEstimator


def load_estimator(file: str | Path, flip: bool = True) -> PoseEstimator:
    """The estimator of models/pose.safetensors, or of any file that fit_pose wrote.

    Args:
        flip: average with the mirrored crop.

    Raises:
        DataError: the file is missing, damaged, or holds another kind of network.
    """
    from pipeline.pose.simple_baseline import load_simple_baseline

    return load_simple_baseline(file, flip=flip)
