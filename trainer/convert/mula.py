"""MuLA's released networks to `hg-…s-1u-mula` or `vgg16-fcn-mula`, variant official."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from trainer.convert.keys import Renamed, channels_of, renamed, without_wrappers

_TASKS = ("parsing", "pose")

_JOINTS = (9, 8, 12, 11, 10, 13, 14, 15, 2, 1, 0, 3, 4, 5, 7, 6)
"""MuLA's pose map -> joint of lip16, LIP's own order. Their head top comes first, their pelvis last."""

_CONVOLUTIONS = (
    (0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (23, 25, 27),
)  # fmt: skip
"""Places of VGG16's convolutions in the authors' flat list, by stage."""

_RESIDUALS = {"res_block": "residual", "conv1x1": "shortcut"}


def mula_weights(checkpoint: Mapping[str, Tensor]) -> Renamed:
    """The weights of a checkpoint of main.py, joints in lip16's order.

    Raises:
        DataError: a key is none of the authors' networks.
    """
    bare = without_wrappers(checkpoint, ("module", "front_end_net"))
    if "pose_conv1x1_U.weight" in bare:
        name, names = "vgg16-fcn-mula", _vgg_names()
        unused: tuple[str, ...] = ("pose_bn", "parsing_bn")  # for a network with norms, which theirs is not
    else:
        stages = sum(key.startswith("pose_conv1x1_U_list.") and key.endswith("weight") for key in bare)
        name, names = f"hg-{stages}s-1u-mula", _hourglass_names(stages)
        unused = (*_idle_shortcuts(stages), "pose_classifier", "parsing_classifier")  # again under the encoders' names
    weights = renamed(bare, names, unused)
    for key in list(weights):
        if key.startswith("pose.classifiers."):
            weights[key] = lip_order(weights[key], axis=0)
        elif key.startswith("pose.map_outputs.") and key.endswith("weight"):
            weights[key] = lip_order(weights[key], axis=1)
    options = {"channels": channels_of(weights, "parsing.classifiers.0.weight")}
    answers = ("parsing.classifiers.0.bias", "pose.classifiers.0.bias")
    return Renamed(name, options, weights, answers, stride=8 if name.startswith("vgg16") else 4)


def lip_order(weight: Tensor, axis: int) -> Tensor:
    """Channels of the joints reordered, the background's left last; another number of joints is left as it is."""
    if weight.shape[axis] != len(_JOINTS) + 1:
        return weight
    order = torch.tensor([*(_JOINTS.index(joint) for joint in range(len(_JOINTS))), len(_JOINTS)])
    return weight.index_select(axis, order)


def _vgg_names() -> dict[str, str]:
    names = {}
    for task in _TASKS:
        for stage, places in enumerate(_CONVOLUTIONS):
            for index, place in enumerate(places):
                names[f"{task}_encoder.model.{place}"] = f"{task}.encoders.0.stages.{stage}.{2 * index}"
        names[f"{task}_classifier"] = f"{task}.classifiers.0"
        names |= _tailoring_names(task, "", 0)
    return names


def _tailoring_names(task: str, theirs: str, stage: int) -> dict[str, str]:
    """Adapter, U, V and norm of one network; U comes first in the authors' code."""
    ours = f"exchanges.{stage}.tailoring.{task}"
    return {
        f"{task}_param_adapter{theirs}": f"{ours}.kernels",
        f"{task}_conv1x1_U{theirs}": f"{ours}.before",
        f"{task}_conv1x1_V{theirs}": f"{ours}.after",
        f"{task}_bn{theirs}": f"{ours}.finish.0",
    }


def _hourglass_names(stages: int) -> dict[str, str]:
    names: dict[str, str] = {}
    for task in _TASKS:
        encoder, stem = f"{task}_encoder", f"{task}.stem"
        names |= {f"{encoder}.basic_block": f"{stem}.reduce", f"{encoder}.res_block": f"{stem}.residual"}
        for theirs, ours in _RESIDUALS.items():
            names[f"{encoder}.basic_block.3.{theirs}"] = f"{stem}.reduce.3.{ours}"
            names[f"{encoder}.res_pre_act.{theirs}"] = f"{stem}.widen.{ours}"
        for stage in range(stages):
            ours = f"{task}.encoders.{stage}"
            for unit, place in _units().items():
                names[f"{encoder}.hg_list.{stage}.srb{unit}.0.res_block"] = f"{ours}.{place}.residual"
            names |= {
                f"{encoder}.hg_list.{stage}.bn": f"{ours}.norm.0",
                f"{encoder}.conv1x1_1_list.{stage}": f"{ours}.project.0",
                f"{encoder}.bn.{stage}": f"{ours}.project.1",
                f"{encoder}.conv_pred_list.{stage}": f"{task}.classifiers.{stage}",
                f"{encoder}.conv1x1_2_list.{stage}": f"{task}.map_features.{stage}",
                f"{encoder}.conv_remap_list.{stage}": f"{task}.map_outputs.{stage}",
                **_tailoring_names(task, f"_list.{stage}", stage),
            }
    return names


def _units() -> dict[int, str]:
    """Number of a residual unit in the authors' hourglass -> its place in ours."""
    return {**{n: f"down.{n - 1}" for n in range(1, 5)}, 5: "bottom", **{n: f"up.{n - 6}" for n in range(6, 10)}}


def _idle_shortcuts(stages: int) -> list[str]:
    """The authors' units carry a 1x1 shortcut even where inputs and outputs are alike, and do not use it there."""
    return [
        f"{task}_encoder.hg_list.{stage}.srb{unit}.0.conv1x1"
        for task in _TASKS
        for stage in range(stages)
        for unit in range(1, 10)
    ]
