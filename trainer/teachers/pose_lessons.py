"""How each kind of pose network is taught: what it is shown, and its loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.pose.architectures import PoseChoice
from pipeline.pose.simple_baseline import ARCHITECTURE, input_tensor
from pipeline.records import ImageRecord
from pipeline.taxonomy import KeypointSet
from trainer.teachers import pose_samples, views
from trainer.teachers.batches import SampleOrder
from trainer.teachers.keypoint_samples import KeypointSample, draw_keypoint_sample
from trainer.teachers.pose_samples import PoseSample, PoseViews, draw_pose_sample
from trainer.teachers.rcnn import collate_rcnn, rcnn_losses
from trainer.teachers.source import read_block


@dataclass(frozen=True)
class Lesson:
    """A network's way of learning.

    Attributes:
        views: how images are seen, for the fit's fingerprint.
        draw: position in the run -> sample.
        collate: samples -> batch.
        losses: batch, device -> parts of the loss.
        in_bfloat16: the modules that compute in it when asked to.
    """

    views: Any
    draw: Callable[[int], Any]
    collate: Callable[[list[Any]], Any]
    losses: Callable[[Any, torch.device], Mapping[str, Tensor]]
    in_bfloat16: tuple[nn.Module, ...]


class PoseBatch(NamedTuple):
    """Training crops.

    Attributes:
        pixels: (N, H, W, 3) uint8 RGB.
        heatmaps: (N, K, h, w) float32.
        weights: (N, K) float32.
    """

    pixels: Tensor
    heatmaps: Tensor
    weights: Tensor


def crop_lessons(
    network: Any,
    records: Sequence[ImageRecord],
    people: np.ndarray,
    choice: PoseChoice,
    joints: KeypointSet,
    seed: int,
) -> Lesson:
    """A SimpleBaseline sees one person's crop and learns a heatmap per joint.

    Args:
        people: (N, 2) record and row of those to learn from.
        joints: the set of their joints.
    """
    seen = pose_samples.SMALL_VIEWS if choice.architecture == ARCHITECTURE else pose_samples.PUBLISHED_VIEWS
    block = read_block(records)
    block = 1 if block == 1 else -(-block * len(people) // len(records))
    draw = _DrawCrop(records, people, SampleOrder(seed, len(people), block), choice, joints, seen)

    def losses(batch: PoseBatch, device: torch.device) -> Mapping[str, Tensor]:
        images = input_tensor(batch.pixels.numpy(), choice.input).to(device, memory_format=torch.channels_last)
        maps = network(images)
        return {"heatmaps": heatmap_loss(maps, batch.heatmaps.to(device), batch.weights.to(device))}

    return Lesson(seen, draw, _collate_crops, losses, (network.trunk, network.upsample))


def rcnn_lessons(
    network: Any,
    records: Sequence[ImageRecord],
    people: np.ndarray,
    choice: PoseChoice,
    joints: KeypointSet,
    seed: int,
) -> Lesson:
    """A KeypointRCNN sees whole images and learns all of its losses; arguments as of `crop_lessons`."""
    images = np.unique(people[:, 0])
    draw = _DrawImage(
        records,
        images,
        people,
        SampleOrder(seed, len(images), read_block(records)),
        choice,
        joints,
        views.PUBLISHED_VIEWS,
    )
    heads = network.roi_heads
    parts = (network.backbone, network.rpn.head, heads.box_head, heads.keypoint_head, heads.keypoint_predictor)
    return Lesson(
        draw.views,
        draw,
        collate_rcnn,
        lambda batch, device: rcnn_losses(network, batch, choice.input, device),
        parts,
    )


def heatmap_loss(maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Squared error summed over the cells, averaged over the joints that count.

    Args:
        maps, targets: (N, K, h, w).
        weights: (N, K), 1 for the joints that count.
    """
    errors = ((maps - targets) ** 2).sum(dim=(2, 3))
    return (errors * weights).sum() / weights.sum().clamp(min=1)


@dataclass(frozen=True)
class _DrawCrop:
    """Position in the run -> training crop."""

    records: Sequence[ImageRecord]
    people: np.ndarray
    order: SampleOrder
    choice: PoseChoice
    joints: KeypointSet
    views: PoseViews

    def __call__(self, position: int) -> PoseSample:
        index, rng = self.order(position)
        record, row = self.people[index]
        return draw_pose_sample(self.records[int(record)], int(row), self.choice, self.joints, self.views, rng)


@dataclass(frozen=True)
class _DrawImage:
    """Position in the run -> training image."""

    records: Sequence[ImageRecord]
    images: np.ndarray
    people: np.ndarray
    order: SampleOrder
    choice: PoseChoice
    joints: KeypointSet
    views: views.ImageViews

    def __call__(self, position: int) -> KeypointSample:
        index, rng = self.order(position)
        image = self.images[index]
        first, last = np.searchsorted(self.people[:, 0], [image, image + 1])
        record, rows = self.records[int(image)], self.people[first:last, 1]
        return draw_keypoint_sample(record, rows, self.choice.input, self.joints, self.views, rng)


def _collate_crops(samples: Sequence[PoseSample]) -> PoseBatch:
    stacked = (np.stack(arrays) for arrays in zip(*((s.image, s.heatmaps, s.weights) for s in samples), strict=True))
    return PoseBatch(*(torch.from_numpy(array) for array in stacked))
