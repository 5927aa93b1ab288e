"""Labelling the joints of people: estimators, their crops, decoding and judging."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.pose.base import PoseEstimator, PoseSettings
from pipeline.pose.judge import pckh_shared

if TYPE_CHECKING:
    from torch import nn

__all__ = ["PoseEstimator", "PoseSettings", "load_network", "pckh_shared"]


def load_network(file: str | Path) -> nn.Module:
    """The network of a crop-wise pose teacher's file, in eval mode: (N, 3, H, W) normalised crops -> (N, K, h, w) heatmaps.

    Raises:
        DataError: the file is missing, damaged, or holds another network.
    """
    from pipeline.pose.architectures import POSE_ARCHITECTURES, network_of
    from pipeline.teacher_file import read_teacher

    names = [name for name, known in POSE_ARCHITECTURES.items() if known.backend == "simple_baseline"]
    return network_of(read_teacher(Path(file), *names))[0]
