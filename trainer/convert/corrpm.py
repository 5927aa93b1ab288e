"""CorrPM's released network to `corrpm`, variant official."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from trainer.convert.keys import Renamed, channels_of, renamed, without_wrappers

_STEM = {"conv1": "0", "bn1": "1", "conv2": "3", "bn2": "4", "conv3": "6", "bn3": "7"}

_NAMES = {
    **{theirs: f"backbone.stem.{ours}" for theirs, ours in _STEM.items()},
    **{f"layer{stage}": f"backbone.layer{stage}" for stage in (1, 2, 3, 4)},
    "layer5.conv1.1": "context.pooled.1.0",
    "layer5.conv1.2": "context.pooled.1.1",
    **{f"layer5.conv{branch + 2}": f"context.branches.{branch}" for branch in range(4)},
    "layer5.bottleneck": "context.fuse",
    "layer6.conv3": "decoder.fuse",
    "layer6.conv4": "coarse",
    **{f"edge_layer.conv{level + 1}": f"edge_encoder.reduce.{level}" for level in range(3)},
    "edge_layer.conv5": "edge_encoder.predict",
    "edge_layer.conv6": "edge_encoder.fuse",
    "pose_layer.deconv_layers": "pose_encoder.upsample",
    "pose_layer.final_layer": "pose_encoder.predict",
    "conv_fuse": "nonlocal_block.hybrid",
    "nl_SEP.theta": "nonlocal_block.query",
    "nl_SEP.phi.0": "nonlocal_block.key",
    "nl_SEP.g.0": "nonlocal_block.value",
    "nl_SEP.W": "nonlocal_block.restore",
    "out_layer": "refined",
}

UNUSED = ("layer6.conv1", "layer6.conv2", "edge_layer.conv4")
"""Layers that the authors' network carries without a way to a supervised output."""

_NORM_EPS = 1e-5


def corrpm_weights(checkpoint: Mapping[str, Tensor]) -> Renamed:
    """The weights of a checkpoint of train.py.

    The authors' in-place activated norms scale by abs(gamma) + 1e-5, gamma's sign being free; ours scale by gamma. The
    pose encoder's norms are PyTorch's own.

    Raises:
        DataError: a key is none of the authors' network.
    """
    weights = renamed(without_wrappers(checkpoint, ("module",)), _NAMES, UNUSED)
    norms = [key.removesuffix("running_mean") + "weight" for key in weights if key.endswith("running_mean")]
    for key in norms:
        if not key.startswith("pose_encoder."):
            weights[key] = weights[key].abs() + _NORM_EPS
    options = {"backbone": "resnet101", "channels": channels_of(weights, "refined.weight"), "dilations": [12, 24, 36]}
    return Renamed("corrpm", options, weights, ("refined.bias", "pose_encoder.predict.bias"), stride=4)
