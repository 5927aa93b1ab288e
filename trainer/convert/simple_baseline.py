"""The checkpoints of Xiao et al. (human-pose-estimation.pytorch) to files of pose teachers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor

from pipeline import taxonomy
from pipeline.errors import DataError, ParamsError
from pipeline.pose.simple_baseline import RESNET_ARCHITECTURE, ResnetOptions, SimpleBaseline
from pipeline.teacher_file import InputSpec, write_teacher
from trainer.convert.checkpoint import checkpoint_weights
from trainer.convert.keys import filled, renamed, without_wrappers

_NAMES = {
    **{module: f"trunk.{module}" for module in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")},
    "deconv_layers": "upsample",
    "final_layer": "head",
}

_DEPTHS: Mapping[int, int] = MappingProxyType({6: 50, 23: 101, 36: 152})
"""Blocks of the third layer -> depth of the ResNet."""

_ROWS_PER_SIGMA = 128
"""Their Gaussians have 2 cells at inputs of 256 rows and 3 at 384."""


def convert_simple_baseline(
    file: Path, out: Path, keypoint_set: str = "coco17", input_hw: tuple[int, int] | None = None
) -> str:
    """Write a checkpoint of their code as a pose teacher's file, in float32.

    Their ResNets come with the stride in the 3x3 convolutions, or, "caffe" in the name, in the 1x1 ones before them. The
    weights are alike and do not tell which; only the former are known here.

    Args:
        file: the checkpoint; no code in it is run.
        keypoint_set: what its joints are: coco17, or lip16 for those of MPII, whose joints are the same in this order.
        input_hw: (height, width) of its crops, which the weights do not tell; None is what the file's name says.

    Returns:
        What it is, in words.

    Raises:
        DataError: the file is damaged, or holds no such network.
        ParamsError: the keypoint set is unknown or of another size than the network's, or the input's size is not known.
    """
    theirs = without_wrappers(checkpoint_weights(file), ("module",))
    size = input_hw or _size_in(file.name)
    try:
        options = _options(theirs, keypoint_set, size)
        with torch.device("meta"):  # shapes alone, since every weight comes from the checkpoint
            network = SimpleBaseline(options)
        weights = filled(renamed(theirs, _NAMES, ()), network.state_dict())
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    network.load_state_dict(weights, assign=True)
    # Their images come from OpenCV, whose order is BGR, and are fed so, with ImageNet's mean and std in RGB order.
    write_teacher(out, network, RESNET_ARCHITECTURE, options, InputSpec(size=size, order="BGR"), precision="float32")
    return f"Simple Baseline on a ResNet-{options.depth}, input {size[0]}x{size[1]}, joints of {keypoint_set}"


def _options(theirs: Mapping[str, Tensor], keypoint_set: str, size: tuple[int, int]) -> ResnetOptions:
    blocks = {key.split(".")[1] for key in theirs if key.startswith("layer3.")}
    depth = _DEPTHS.get(len(blocks))
    if depth is None or "layer1.0.conv3.weight" not in theirs:
        raise DataError(
            f"its third layer has {len(blocks)} blocks, expected one of the ResNets 50, 101 and 152 "
            f"({', '.join(map(str, _DEPTHS))} blocks). Give a checkpoint of the authors' code"
        )
    deconvs = [f"deconv_layers.{place}.weight" for place in range(0, 9, 3)]
    for key in (*deconvs, "final_layer.bias"):
        if key not in theirs:
            raise DataError(f"weight {key!r} is missing. Give a whole checkpoint of the authors' code")
    try:
        joints = taxonomy.keypoint_set(keypoint_set)
    except ValueError as error:
        raise ParamsError(f"--keypoint-set {keypoint_set}: {error}") from error
    count = len(theirs["final_layer.bias"])
    if count != len(joints):
        raise ParamsError(f"--keypoint-set {keypoint_set}: has {len(joints)} names, the checkpoint's network {count}")
    return ResnetOptions(
        depth=cast(Any, depth),
        deconv_widths=tuple(theirs[key].shape[1] for key in deconvs),
        keypoint_set=joints.name,
        sigma_cells=size[0] / _ROWS_PER_SIGMA,
        cell_at="first",
    )


def _size_in(name: str) -> tuple[int, int]:
    found = re.search(r"(\d{2,4})x(\d{2,4})", name)
    if found is None:
        raise ParamsError(
            f"--input-size: {name} does not tell the size of its crops, as pose_resnet_50_256x192.pth.tar does; "
            "give it, for instance 256x192 (height x width)"
        )
    return int(found[1]), int(found[2])
