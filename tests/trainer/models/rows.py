"""The rows of the papers' ablation tables at a size for tests: what each gives, and how to build it narrow."""

from __future__ import annotations

from typing import NamedTuple

import torch

from trainer.models import ParsingNetwork, build_model, model_options

SMALL = {"backbone": "resnet18_slim", "channels": 16, "dilations": (1, 2, 3)}
CLASSES, KEYPOINTS = 5, 4


class Row(NamedTuple):
    """Outputs of a row: numbers of parsing, edge and pose maps; the input it is tested at, the outputs' stride."""

    parsing: int
    edge: int = 0
    pose: int = 0
    hw: tuple[int, int] = (45, 61)
    stride: int = 4


VGG = Row(1, 0, 1, hw=(72, 200), stride=8)
HOURGLASS = Row(1, 0, 1, hw=(64, 128))

ROWS = {
    "corrpm": Row(2, 1, 1),
    "corrpm-p": Row(1),
    "corrpm-pp": Row(2),
    "corrpm-p+b": Row(2, 1),
    "corrpm-p+k": Row(2, 0, 1),
    "corrpm-p+b+k": Row(2, 1, 1),
    "corrpm-pb": Row(2, 1),
    "corrpm-pk": Row(2, 0, 1),
    "corrpm-pbb": Row(2, 1),
    "corrpm-pkk": Row(2, 0, 1),
    "vgg16-fcn": VGG,
    "vgg16-fcn-add": VGG,
    "vgg16-fcn-multi": VGG,
    "vgg16-fcn-concat": VGG,
    "vgg16-fcn-mtl": VGG,
    "vgg16-fcn-self": VGG,
    "vgg16-fcn-la-pose": VGG,
    "vgg16-fcn-la-parsing": VGG,
    "vgg16-fcn-mula": VGG,
    "hg-0s-1u-mula": HOURGLASS,
    "hg-1s-1u-mula": HOURGLASS,
    "hg-2x1u": HOURGLASS._replace(parsing=2, pose=2),
    "hg-2s-1u-mula": HOURGLASS._replace(parsing=2, pose=2),
    "hg-2s-1u-mula-1st-stage": HOURGLASS._replace(parsing=2, pose=2),
    "hg-2s-1u-mula-2nd-stage": HOURGLASS._replace(parsing=2, pose=2),
    "hg-3s-1u-mula": HOURGLASS._replace(parsing=3, pose=3),
    "hg-4s-1u-mula": HOURGLASS._replace(parsing=4, pose=4),
    "hg-5s-1u-mula": HOURGLASS._replace(parsing=5, pose=5),
    "mula": HOURGLASS._replace(parsing=5, pose=5),
    "fcn-8s": Row(1, hw=(64, 96), stride=8),
    "deeplabv2": Row(1, stride=8),
    "ce2p": Row(2, 1),
}


def small(name: str, variant: str = "official") -> ParsingNetwork:
    """The row, narrow."""
    torch.manual_seed(0)
    options = {key: value for key, value in SMALL.items() if key in model_options(name)}
    return build_model(name, CLASSES, KEYPOINTS, variant, **options)
