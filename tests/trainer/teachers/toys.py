"""Networks so small that a test can fit them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.detection.mask_rcnn_basic import RcnnOptions
from pipeline.params import DetectorFit, PoseFit
from pipeline.pose.architectures import PoseChoice
from pipeline.pose.simple_baseline import ARCHITECTURE, PoseOptions
from pipeline.teacher_file import InputSpec
from trainer.teachers.detector import fit_detector
from trainer.teachers.pose import fit_pose

# No fewer than 8 channels: on CPUs without AVX-512, oneDNN's strided 1x1 convolution of fewer, channels last, writes beyond
# its memory (torch 2.15).
RCNN = RcnnOptions(
    widths=(8, 16),
    blocks=(1, 1),
    fpn_channels=8,
    anchor_sizes=(12, 24),
    box_features=16,
    mask_layers=(8,),
    max_people=6,
)
POSE = PoseChoice(
    ARCHITECTURE, PoseOptions(widths=(8, 16), blocks=(1, 1), deconv_widths=(16,)), InputSpec(size=(32, 24))
)
FIT = {"dataset": "toy", "steps": 2, "batch_size": 2, "lr": 1e-3, "warmup_steps": 1, "weight_decay": 0.01, "threads": 1}


class Stop(Exception):
    """A user who loses patience."""


def fitted(
    kind: str, scenes: Any, out: Path, seed: int = 3, progress: Any = lambda *_: None, workers: int = 0, **changes: Any
) -> bytes:
    """The file of a toy detector or pose network."""
    if kind == "detector":
        section, spec = DetectorFit(**{**FIT, **changes}), InputSpec(size=(48, 96))
        fit_detector(scenes, section, seed, out, out.parent / "scratch", progress, RCNN, spec, workers=workers)
    else:
        section = PoseFit(**{**FIT, **changes})
        fit_pose(scenes, section, seed, out, out.parent / "scratch", progress, POSE, workers=workers)
    return out.read_bytes()
