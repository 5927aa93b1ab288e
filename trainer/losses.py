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
from trainer.multi_person.centroids import centroid_loss


class Targets(NamedTuple):
    """What a batch's outputs are compared with.

    Attributes:
        parsing: (N, H, W) int64 part ids, 255 weighs nothing.
        edges: (N, H, W) int64 of {0, 1}.
        heatmaps: (N, K, h, w) float32, one map more where the model has one of background.
        keypoint_weights: (N, K) float32, one column per map; a map of weight 0 is not learnt.
        centroids: ways to people's centroids (N, 2 K, h, w) and the cells (N, K, h, w) that have one, as
            trainer.multi_person has them; None where they are not learnt.
    """

    parsing: Tensor
    edges: Tensor
    heatmaps: Tensor
    keypoint_weights: Tensor
    centroids: tuple[Tensor, Tensor] | None = None


class Counts(NamedTuple):
    """How much the means of the losses are taken over.

    The samples of a batch may lie on several devices or be looked at one part after the other: with the counts of the
    whole batch, the losses of its parts add up to its loss, whoever has which.

    Attributes:
        labelled_pixels: pixels with a part's label. pixels: all of them. edge_pixels: those on edges.
        keypoints: the sum of the maps' weights.
        ways: cells that have a way to a centroid.
    """

    labelled_pixels: Tensor
    pixels: Tensor
    edge_pixels: Tensor
    keypoints: Tensor
    ways: Tensor

    @classmethod
    def of(cls, targets: Targets) -> Counts:
        """Counts of these samples alone: float64 scalars, to be added to those of others."""
        return cls(
            (targets.parsing != IGNORE).sum().double(),
            torch.tensor(targets.edges.numel(), dtype=torch.float64, device=targets.edges.device),
            targets.edges.sum().double(),
            targets.keypoint_weights.sum().double(),
            targets.keypoint_weights.new_zeros((), dtype=torch.float64)
            if targets.centroids is None
            else targets.centroids[1].sum().double(),
        )


def parsing_loss(
    logits: Tensor, parsing: Tensor, *, align_corners: bool, labelled_pixels: Tensor | None = None
) -> Tensor:
    """Mean cross entropy over the labelled pixels, 0 where there are none.

    Args:
        logits: (N, C, h, w), resized bilinearly to the labels' size.
        parsing: (N, H, W) int64, 255 ignored.
        align_corners: of the resize.
        labelled_pixels: of the batch that these samples are a part of; None is these alone.
    """
    total = _summed_cross_entropy(logits, parsing, None, align_corners)
    count = (parsing != IGNORE).sum() if labelled_pixels is None else labelled_pixels.float()
    return total / count.clamp(min=1)


def edge_loss(
    logits: Tensor,
    edges: Tensor,
    *,
    align_corners: bool,
    weighted: bool = True,
    edge_pixels: Tensor | None = None,
    pixels: Tensor | None = None,
) -> Tensor:
    """Mean cross entropy over all pixels.

    Args:
        logits: (N, 2, h, w), resized bilinearly to the labels' size.
        edges: (N, H, W) int64 of {0, 1}.
        align_corners: of the resize.
        weighted: edge and no-edge pixels weigh each other's share of the batch (CorrPM's code), or all alike (its text).
        edge_pixels, pixels: of the batch that these samples are a part of; None is these alone.
    """
    every = edges.numel() if pixels is None else pixels.float()
    if not weighted:
        return _summed_cross_entropy(logits, edges, None, align_corners) / every
    edge_share = (edges.sum() if edge_pixels is None else edge_pixels).float() / every
    total = _summed_cross_entropy(logits, edges, torch.stack([edge_share, 1 - edge_share]), align_corners)
    # The weights of all pixels add up to twice share x (1 - share) x pixels; 0 in a batch of one class only.
    return total / (2 * edge_share * (1 - edge_share) * every).clamp(min=1e-6)


def _summed_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None, align_corners: bool) -> Tensor:
    """Sum over all pixels, 255 ignored, of logits (N, C, h, w) brought to the size of labels (N, H, W).

    One row of C values per pixel: nearly twice as fast on the CPU as planes, and repeatable on CUDA, where torch's loss
    over planes is not.
    """
    rows = resize(logits.contiguous(memory_format=torch.channels_last), size_of(labels), align_corners=align_corners)
    rows = rows.float().permute(0, 2, 3, 1).flatten(0, 2)
    return functional.cross_entropy(rows, labels.flatten(), weights, ignore_index=IGNORE, reduction="sum")


def pose_loss(
    heatmaps: Tensor,
    truth: Tensor,
    keypoint_weights: Tensor,
    *,
    align_corners: bool,
    keypoints: Tensor | None = None,
) -> Tensor:
    """Mean squared error over the maps of labelled keypoints, 0 where there are none.

    Args:
        heatmaps: (N, K, h, w), resized bilinearly to the truth's size.
        truth: (N, K, H, W) float32.
        keypoint_weights: (N, K) float32; a map of weight 0 counts neither in the sum nor in the mean.
        align_corners: of the resize.
        keypoints: sum of the weights of the batch that these samples are a part of; None is these alone.
    """
    heatmaps = resize(heatmaps, size_of(truth), align_corners=align_corners)
    per_map = (heatmaps.float() - truth).square().mean(dim=(2, 3))
    count = keypoint_weights.sum() if keypoints is None else keypoints.float()
    return (per_map * keypoint_weights).sum() / count.clamp(min=1)


def training_loss(
    prediction: Prediction, targets: Targets, weights: Loss, *, align_corners: bool, counts: Counts | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Eq. 4 and its parts.

    The last parsing output is the refined one (L_p2), those before it are coarse (L_p). A head that the model lacks
    adds nothing, nor do ways to centroids that the targets lack. MuLA's Eq. 4, a parsing and a pose loss in every stage, is the same sum with equal weights for all
    stages' parsing.

    Args:
        counts: of the whole batch, where these samples are a part of it: the losses of all parts then add up to its
            loss. None is these samples alone.

    Returns:
        The weighted sum, and the unweighted parts: parsing_refined, parsing_coarse, edge, pose, centroids.
    """
    whole = Counts.of(targets) if counts is None else counts
    *coarse, refined = [
        parsing_loss(logits, targets.parsing, align_corners=align_corners, labelled_pixels=whole.labelled_pixels)
        for logits in prediction.parsing
    ]
    weighted = weights.edge == "weighted"
    edges = [
        edge_loss(
            logits,
            targets.edges,
            align_corners=align_corners,
            weighted=weighted,
            edge_pixels=whole.edge_pixels,
            pixels=whole.pixels,
        )
        for logits in prediction.edge
    ]
    poses = [
        pose_loss(
            heatmaps,
            targets.heatmaps,
            targets.keypoint_weights,
            align_corners=align_corners,
            keypoints=whole.keypoints,
        )
        for heatmaps in prediction.pose
    ]
    ways = [
        centroid_loss(resize(offsets, size_of(truth), align_corners=align_corners), truth, cells, whole.ways)
        for offsets in prediction.centroids
        for truth, cells in ([] if targets.centroids is None else [targets.centroids])
    ]
    named = {"parsing_coarse": coarse, "edge": edges, "pose": poses, "centroids": ways}
    parts = {"parsing_refined": refined}
    parts |= {name: torch.stack(losses).sum() for name, losses in named.items() if losses}
    factors = {
        "parsing_refined": weights.refined,
        "parsing_coarse": weights.coarse,
        "edge": weights.alpha,
        "pose": weights.beta,
        "centroids": weights.centroids,
    }
    total = torch.stack([factors[name] * loss for name, loss in parts.items()]).sum()
    return total, parts
