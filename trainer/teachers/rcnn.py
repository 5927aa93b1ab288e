"""What the fitting of Mask R-CNN and Keypoint R-CNN share: batches of images, the loss, what stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, KeypointRCNN
from torchvision.models.detection.image_list import ImageList

from pipeline.teacher_file import InputSpec
from trainer.teachers.views import SIDE_MULTIPLE

_FROZEN = ("backbone.body.conv1.", "backbone.body.bn1.", "backbone.body.layer1.")


class RcnnBatch(NamedTuple):
    """Training images, padded to the largest, and their people.

    Attributes:
        pixels: (N, H, W, 3) uint8.
        sizes: per image (height, width) before it was padded.
        targets: per image what torchvision learns from: "boxes" (P, 4) float32 x1, y1, x2, y2, and "masks"
            (P, height, width) uint8 or "keypoints" (P, K, 3) float32.
    """

    pixels: Tensor
    sizes: list[tuple[int, int]]
    targets: list[dict[str, Tensor]]


def collate_rcnn(samples: Sequence[Any]) -> RcnnBatch:
    """A batch of dataclasses with an `image` (H, W, 3) uint8 and arrays of people.

    The images are padded at the bottom and the right to one size that the feature pyramid takes.
    """
    sizes = [sample.image.shape[:2] for sample in samples]
    height, width = (-(-max(sides) // SIDE_MULTIPLE) * SIDE_MULTIPLE for sides in zip(*sizes, strict=True))
    pixels = np.zeros((len(samples), height, width, 3), np.uint8)
    for place, sample in enumerate(samples):
        pixels[place, : sizes[place][0], : sizes[place][1]] = sample.image
    targets = [
        {
            field.name: torch.from_numpy(getattr(sample, field.name))
            for field in dataclasses.fields(sample)
            if field.name != "image"
        }
        for sample in samples
    ]
    return RcnnBatch(torch.from_numpy(pixels), sizes, targets)


def rcnn_losses(network: FasterRCNN, batch: RcnnBatch, spec: InputSpec, device: torch.device) -> dict[str, Tensor]:
    """The parts of the loss of a batch: the network's own forward without its resizing."""
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (spec.mean, spec.std))
    images = (batch.pixels.to(device).permute(0, 3, 1, 2).float() / 255 - mean) / std
    for image, (height, width) in zip(images, batch.sizes, strict=True):  # zeros after normalising, as in inference
        image[:, height:] = 0
        image[:, :, width:] = 0
    targets = []
    for people in batch.targets:
        moved = {name: values.to(device) for name, values in people.items()}
        labels = torch.ones(len(people["boxes"]), dtype=torch.int64, device=device)  # class 1 is the person
        targets.append({**moved, "labels": labels})
    features = network.backbone(images.to(memory_format=memory_format_of(network)))
    listed = ImageList(images, batch.sizes)
    proposals, rpn_losses = network.rpn(listed, features, targets)
    _, head_losses = network.roi_heads(features, proposals, listed.image_sizes, targets)
    return {**rpn_losses, **head_losses}


def memory_format_of(network: nn.Module) -> torch.memory_format:
    """Channels last, the faster one; not for a Keypoint R-CNN, whose loss in torchvision cannot read such maps."""
    return torch.contiguous_format if isinstance(network, KeypointRCNN) else torch.channels_last


def freeze_stem(network: nn.Module) -> None:
    """Keep the first stages of a ResNet trunk: what a network that goes on from weights knows of edges and textures."""
    for name, weight in network.named_parameters():
        if name.startswith(_FROZEN):
            weight.requires_grad_(False)
