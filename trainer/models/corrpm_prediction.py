"""CorrPM in the form that predicts fastest: linear layers that follow each other become one, at the smallest size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.models.corrpm import CorrPM
from trainer.models.folding import Joined
from trainer.models.layers import resize, size_of
from trainer.models.prediction import ParsingNetwork, Prediction

_MAP_CELLS = 2**21
"""Cells of the relation map that are held at once, per image: 8 MB."""


class CorrPMPrediction(ParsingNetwork):
    """What a trained CorrPM answers, without its coarse parsing; equal up to rounding.

    - Context and edge features pass their 1x1 convolutions before they are upsampled.
    - The edge feature has no activation: its fusion goes into W_a and into the edge's prediction.
    - Nothing but sums lies between the relation map and the parsing: W_b and the classifier are applied to the values.
    """

    def __init__(self, network: CorrPM, parsing_only: bool) -> None:
        """From a network whose norms are folded; shares its weights."""
        super().__init__()
        self.align_corners, self.design, self.parsing_only = network.align_corners, network.design, parsing_only
        self.backbone, self.context = network.backbone, network.context
        factors = network.design.factors
        self.edge_reduce: nn.ModuleList | None = None
        self.pose_encoder = network.pose_encoder if "pose" in factors else None
        fuse, activation = _parts(network.decoder.fuse)
        channels = fuse.out_channels
        self.decode = Joined(list(_matrix(fuse).split([channels, fuse.in_channels - channels], 1)), fuse.bias,
                             activation, align_corners=False)  # fmt: skip
        levels: tuple[Tensor, ...] = ()
        if "edge" in factors:
            encoder = network.edge_encoder
            self.edge_reduce = encoder.reduce
            levels = _matrix(encoder.fuse).split(channels // 2, 1)
            predict = _matrix(encoder.predict)
            self.edge_predict = Joined(
                [predict @ level for level in levels], encoder.predict.bias, nn.Identity(), self.align_corners
            )
        self.refined = network.refined
        if network.design.fusion == "none":
            return
        correlated = network.design.fusion == "correlate"
        self.hybrid: Joined | None = None
        if factors:
            block = network.nonlocal_block if correlated else network.concatenation
            hybrid, activation = _parts(block.hybrid)
            own, *shares = _matrix(hybrid).split(channels, 1)
            of_edge = [share for share, factor in zip(shares, factors, strict=True) if factor == "edge"]
            of_pose = [share for share, factor in zip(shares, factors, strict=True) if factor == "pose"]
            weights = [own]
            if of_edge:
                weights += [sum(of_edge) @ level for level in levels]
            if of_pose:
                weights.append(torch.stack(of_pose).sum(0))
            self.hybrid = Joined(weights, hybrid.bias, activation, self.align_corners)
        if correlated:
            self.correlation = _Correlation(network)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> the refined parsing, and the edge and pose maps unless only the parsing is asked for."""
        res2, res3, res4, res5 = self.backbone(images)
        size = size_of(res2)
        parsing = self.decode([self.context(res5), res2], size)
        found = Prediction([])
        met = [parsing]
        if self.edge_reduce is not None:
            reduced = [reduce(level) for reduce, level in zip(self.edge_reduce, (res2, res3, res4), strict=True)]
            met += reduced
            if not self.parsing_only:
                found.edge.append(self.edge_predict(reduced, size))
        if self.pose_encoder is not None:
            feature = resize(self.pose_encoder.upsample(res5), size, align_corners=True)
            met.append(feature)
            if not self.parsing_only:
                found.pose.append(self.pose_encoder.predict(feature))
        if self.design.fusion == "none":
            found.parsing.append(self.refined(parsing))
            return found
        hybrid = parsing if self.hybrid is None else self.hybrid(met, size)
        correlate = self.design.fusion == "correlate"
        found.parsing.append(self.correlation(hybrid, parsing) if correlate else self.refined(hybrid))
        return found


class _Correlation(nn.Module):
    """The non-local block and the classifier behind it: f_h and f_p -> parsing logits.

    With R the classifier after W_b, R (S f_p1) is S (R f_p1): the values that S gathers have as many channels as there
    are classes. The relation map is held a few rows at a time.
    """

    def __init__(self, network: CorrPM) -> None:
        super().__init__()
        block: Any = network.nonlocal_block
        self.query, self.key, self.value, self.pool = block.query, block.key, block.value, block.pool
        restore: Any = block.restore[0] if isinstance(block.restore, nn.Sequential) else block.restore
        refined: Any = network.refined
        classify = _matrix(refined)
        bias = (refined.bias + classify @ restore.bias).detach()
        self.skip = Joined([classify], bias, nn.Identity(), align_corners=False)
        self.classes: Tensor
        self.register_buffer("classes", (classify @ _matrix(restore)).detach())

    def forward(self, hybrid: Tensor, parsing: Tensor) -> Tensor:
        """f_h and f_p (N, C, h, w) -> (N, classes, h, w)."""
        size = size_of(parsing)
        queries, keys = self.query(hybrid), self.pool(self.key(parsing))
        values = self.classes @ self.pool(self.value(parsing)).flatten(2)
        # An exported graph has products: not every runtime takes weights that were computed.
        by_convolutions = queries.device.type == "cpu" and not torch.compiler.is_compiling() and len(queries) > 0
        gathered = _by_convolutions(queries, keys, values) if by_convolutions else _by_products(queries, keys, values)
        return gathered + self.skip([parsing], size)


def _by_products(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """softmax(queries . keys) values: (N, C, H, W), (N, C, h, w) and (N, V, h w) -> (N, V, H, W)."""
    related, keys, values = queries.flatten(2).transpose(1, 2), keys.flatten(2), values.transpose(1, 2)
    rows = max(1, _MAP_CELLS // keys.shape[2])
    gathered = [torch.softmax(part @ keys, dim=2) @ values for part in related.split(rows, dim=1)]
    return torch.cat(gathered, dim=1).transpose(1, 2).unflatten(2, size_of(queries))


def _by_convolutions(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The same, an image's keys and values as the weights of 1x1 convolutions: on CPUs they are faster than products."""
    rows = max(1, _MAP_CELLS // (keys.shape[2] * keys.shape[3] * queries.shape[3]))
    images = []
    for asked, known, held in zip(queries.split(1), keys, values, strict=True):
        weight = known.flatten(1).t()[:, :, None, None].contiguous(memory_format=torch.channels_last)
        parts = []
        for part in asked.split(rows, dim=2):
            related = torch.softmax(functional.conv2d(part, weight).permute(0, 2, 3, 1), dim=3).permute(0, 3, 1, 2)
            parts.append(functional.conv2d(related, held[:, :, None, None]))
        images.append(torch.cat(parts, dim=2))
    return torch.cat(images)


def _matrix(convolution: Any) -> Tensor:
    """The weight of a 1x1 convolution: (outputs, inputs)."""
    return convolution.weight.detach().flatten(1)


def _parts(layers: Any) -> tuple[nn.Conv2d, nn.Module]:
    """The convolution of a folded conv_norm, or of a bare convolution, and the activation behind it."""
    if isinstance(layers, nn.Sequential):
        convolution: Any = layers[0]
        return convolution, layers[2]
    return layers, nn.Identity()
