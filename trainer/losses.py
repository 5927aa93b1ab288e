"""The training objective (CorrPM Eq. 4): L = L_p2 + L_p + alpha L_b + beta L_k."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.params import Loss
from pipeline.taxonomy import IGNORE
from trainer.models.layers import resize, size_of
from trainer.models.prediction import Prediction


class Targets(NamedTuple):
    """What a batch's outputs are compared with.

    Attributes:
        parsing: (N, H, W) int64 part ids, 255 weighs nothing.
        edges: (N, H, W) int64 of {0, 1}.
        heatmaps: (N, K, h, w) float32, one map more where the model has one of background.
        keypoint_weights: (N, K) float32, one column per map; a map of weight 0 is not learnt.
    """

    parsing: Tensor
    edges: Tensor
    heatmaps: Tensor
    keypoint_weights: Tensor


def parsing_loss(logits: Tensor, parsing: Tensor, *, align_corners: bool) -> Tensor:
    """Mean cross entropy over the labelled pixels, 0 where there are none.

    Args:
        logits: (N, C, h, w), resized bilinearly to the labels' size.
        parsing: (N, H, W) int64, 255 ignored.
        align_corners: of the resize.
    """
    total = _summed_cross_entropy(logits, parsing, None, align_corners)
    return total / (parsing != IGNORE).sum().clamp(min=1)


def edge_loss(logits: Tensor, edges: Tensor, *, align_corners: bool, weighted: bool = True) -> Tensor:
    """Mean cross entropy over all pixels.

    Args:
        logits: (N, 2, h, w), resized bilinearly to the labels' size.
        edges: (N, H, W) int64 of {0, 1}.
        align_corners: of the resize.
        weighted: edge and no-edge pixels weigh each other's share of the batch (CorrPM's code), or all alike (its text).
    """
    if not weighted:
        return _summed_cross_entropy(logits, edges, None, align_corners) / edges.numel()
    edge_share = edges.float().mean()
    total = _summed_cross_entropy(logits, edges, torch.stack([edge_share, 1 - edge_share]), align_corners)
    # The weights of all pixels add up to twice share x (1 - share) x pixels; 0 in a batch of one class only.
    return total / (2 * edge_share * (1 - edge_share) * edges.numel()).clamp(min=1e-6)


def _summed_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None, align_corners: bool) -> Tensor:
    """Sum over all pixels, 255 ignored, of logits (N, C, h, w) brought to the size of labels (N, H, W).

    One row of C values per pixel: nearly twice as fast on the CPU as planes, and repeatable on CUDA, where torch's loss
    over planes is not.
    """
    rows = resize(logits.contiguous(memory_format=torch.channels_last), size_of(labels), align_corners=align_corners)
    rows = rows.float().permute(0, 2, 3, 1).flatten(0, 2)
    return functional.cross_entropy(rows, labels.flatten(), weights, ignore_index=IGNORE, reduction="sum")


def pose_loss(heatmaps: Tensor, truth: Tensor, keypoint_weights: Tensor, *, align_corners: bool) -> Tensor:
    """Mean squared error over the maps of labelled keypoints, 0 where there are none.

    Args:
        heatmaps: (N, K, h, w), resized bilinearly to the truth's size.
        truth: (N, K, H, W) float32.
        keypoint_weights: (N, K) float32; a map of weight 0 counts neither in the sum nor in the mean.
        align_corners: of the resize.
    """
    heatmaps = resize(heatmaps, size_of(truth), align_corners=align_corners)
    per_map = (heatmaps.float() - truth).square().mean(dim=(2, 3))
    return (per_map * keypoint_weights).sum() / keypoint_weights.sum().clamp(min=1)


def training_loss(
    prediction: Prediction, targets: Targets, weights: Loss, *, align_corners: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 4 and its parts.

    The last parsing output is the refined one (L_p2), those before it are coarse (L_p). A head that the model lacks
    adds nothing. MuLA's Eq. 4, a parsing and a pose loss in every stage, is the same sum with equal weights for all
    stages' parsing.

    Returns:
        The weighted sum, and the unweighted parts: parsing_refined, parsing_coarse, edge, pose.
    """
    *coarse, refined = [
        parsing_loss(logits, targets.parsing, align_corners=align_corners) for logits in prediction.parsing
    ]
    weighted = weights.edge == "weighted"
    edges = [
        edge_loss(logits, targets.edges, align_corners=align_corners, weighted=weighted) for logits in prediction.edge
    ]
    poses = [
        pose_loss(heatmaps, targets.heatmaps, targets.keypoint_weights, align_corners=align_corners)
        for heatmaps in prediction.pose
    ]
    parts = {"parsing_refined": refined}
    parts |= {name: torch.stack(losses).sum() for name, losses in _named(coarse, edges, poses) if losses}
    factors = {
        "parsing_refined": weights.refined,
        "parsing_coarse": weights.coarse,
        "edge": weights.alpha,
        "pose": weights.beta,
    }
    total = torch.stack([factors[name] * loss for name, loss in parts.items()]).sum()
    return total, parts


def _named(coarse: list[Tensor], edges: list[Tensor], poses: list[Tensor]) -> tuple[tuple[str, list[Tensor]], ...]:
    return ("parsing_coarse", coarse), ("edge", edges), ("pose", poses)
