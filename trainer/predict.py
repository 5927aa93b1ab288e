"""A trained parser's answers at the size of the crops: part masks and joints, over scales and mirror images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.geometry.affine import invert, transform_points
from pipeline.pose.decoding import decode_heatmaps
from pipeline.taxonomy import KeypointSet, LabelSet
from trainer.checkpoints import ModelCard
from trainer.data.loading import JudgedItem, scaled
from trainer.models.layers import resize
from trainer.models.prediction import ParsingNetwork


@dataclass(frozen=True, eq=False)
class Answer:
    """What a parser says of one crop.

    Attributes:
        mask: (H, W) uint8 part ids, of the crop's own size.
        keypoints: (K, 3) float64 x, y in crop pixels and the heatmap's peak; no rows where the model has no pose head.
        confidence: (H, W) float32 probability of the pixel's class; None where it was not asked for.
        labels: the mask where the network lies, to be counted there; None where that is the CPU.
    """

    mask: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray | None = None
    labels: Tensor | None = None

    @property
    def counted(self) -> np.ndarray | Tensor:
        """The mask where counting it is fastest."""
        return self.mask if self.labels is None else self.labels


def check_scales(network: ParsingNetwork, size: tuple[int, int], scales: Iterable[float]) -> None:
    """Nothing, where a network can be fed with inputs of that (height, width) at all the scales.

    Raises:
        ValueError: it cannot; the scale is named.
    """
    for scale in scales:
        height, width = scaled(size, scale)
        if min(height, width) < 1:
            raise ValueError(f"scale {scale:g} leaves {height}x{width} of the input's {size[0]}x{size[1]}")
        try:
            network.check_input_size((height, width))
        except ValueError as error:
            raise ValueError(f"scale {scale:g}: {error}") from error


class _View(NamedTuple):
    """Logits (C, h, w) of a crop as one scale or mirror image showed it, upright again, and how the crop lay in that."""

    maps: Tensor
    to_input: np.ndarray
    input_hw: tuple[int, ...]


STRIP_PIXELS = 2**18
"""Pixels of a crop whose logits are in memory at once, for each class."""


@dataclass(frozen=True, eq=False)
class CropParser:
    """A network in evaluation mode, with what is needed to feed it and to read its outputs.

    Attributes:
        model: the network; its `align_corners` says how its outputs are resized.
        card: how it is fed and what its channels mean.
        device: where the network lies.
        flip: also look at the mirror image.
        confidence: also tell how sure each pixel's class is.
    """

    model: nn.Module
    card: ModelCard
    device: torch.device
    flip: bool = False
    confidence: bool = False

    @cached_property
    def label_set(self) -> LabelSet:
        """The part classes that it answers in."""
        return LabelSet(self.card.label_set, self.card.part_names)

    @cached_property
    def keypoint_set(self) -> KeypointSet:
        """The joints that it answers in."""
        return KeypointSet(self.card.keypoint_set, self.card.keypoint_names, ())

    @torch.no_grad()
    def parse(self, items: list[JudgedItem]) -> list[Answer]:
        """Answers of a batch of crops, in their order.

        The logits of all scales and mirror images are brought to the crop's pixels and summed; the class is the
        largest sum, its probability that of their mean. A joint is taken from the scale and mirror image where its peak
        is highest.
        """
        views: list[list[_View]] = [[] for _ in items]
        joints: list[list[np.ndarray]] = [[] for _ in items]
        for scale in range(len(items[0].images)):
            images = np.stack([item.images[scale] for item in items])
            for mirrored in (False, True)[: 1 + self.flip]:
                maps, heatmaps = self._forward(images, mirrored)
                for place, item in enumerate(items):
                    views[place].append(_View(maps[place], item.to_input[scale], images.shape[1:3]))
                    if heatmaps is not None:
                        joints[place].append(
                            self._joints(heatmaps[place], item.to_input[scale], images.shape[2], mirrored)
                        )
        return [
            Answer(labels.cpu().numpy(), _highest(found), confidence, None if labels.device.type == "cpu" else labels)
            for (labels, confidence), found in zip(
                (self._classes(seen, item.mask.shape) for seen, item in zip(views, items, strict=True)),
                joints,
                strict=True,
            )
        ]

    def _classes(self, views: list[_View], crop_hw: tuple[int, ...]) -> tuple[Tensor, np.ndarray | None]:
        """(H, W) uint8 classes of a crop, on the device, and, where asked for, their (H, W) float32 probabilities.

        A strip of rows at a time: a map per class at the size of a large photo would fill the memory.
        """
        height, width = crop_hw
        labels = torch.empty((height, width), dtype=torch.uint8, device=self.device)
        confidence = np.empty((height, width), np.float32) if self.confidence else None
        step = max(1, STRIP_PIXELS // width)
        for top in range(0, height, step):
            strip = (min(step, height - top), width)
            logits = sum(
                to_crop(view.maps, view.to_input, strip, view.input_hw, self._align, top=top) for view in views
            )
            assert isinstance(logits, Tensor)
            labels[top : top + step] = logits.argmax(0).to(torch.uint8)
            if confidence is not None:
                mean = logits / len(views)
                confidence[top : top + step] = torch.exp(mean.amax(0) - mean.logsumexp(0)).cpu().numpy()
        return labels, confidence

    @property
    def _align(self) -> bool:
        return bool(self.model.align_corners)

    def _forward(self, images: np.ndarray, mirrored: bool) -> tuple[Tensor, np.ndarray | None]:
        """(N, h, w, 3) uint8 -> logits (N, C, h/4, w/4) of the image as it stands; heatmaps of what was fed.

        The heatmaps are brought to the grid of the training targets; a map of background is left out.
        """
        fed = torch.from_numpy(np.ascontiguousarray(images[:, :, ::-1]) if mirrored else images).to(self.device)
        prediction = self.model(self.card.input_spec.normalize(fed))
        maps = prediction.parsing[-1].float()
        if mirrored:
            swap = torch.from_numpy(self.label_set.hflip_lut[: len(self.label_set)].astype(np.int64))
            maps = maps.flip(3)[:, swap.to(maps.device)]
        if not prediction.pose:
            return maps, None
        stride = self.card.heatmaps["stride"]
        grid = (-(-images.shape[1] // stride), -(-images.shape[2] // stride))
        joints = prediction.pose[-1][:, : len(self.keypoint_set)]
        heatmaps = resize(joints.float(), grid, align_corners=self._align)
        return maps, heatmaps.cpu().numpy()

    def _joints(self, heatmaps: np.ndarray, to_input: np.ndarray, width: int, mirrored: bool) -> np.ndarray:
        """(K, h, w) heatmaps of what was fed -> (K, 3) x, y in crop pixels and peak."""
        decoded = decode_heatmaps(heatmaps[None])[0]
        stride, convention = self.card.heatmaps["stride"], self.card.heatmaps["convention"]
        # The authors' cell i lies at i * stride; the other conventions' at its area's centre.
        offset = 0.0 if convention == "corrpm" else stride / 2 - 0.5
        points = decoded[:, :2] * stride + offset
        if mirrored:
            points[:, 0] = width - 1 - points[:, 0]
        points = np.column_stack([transform_points(invert(to_input), points), decoded[:, 2]])
        return points[self.keypoint_set.hflip_index] if mirrored else points


def _highest(found: list[np.ndarray]) -> np.ndarray:
    """Per joint the (x, y, peak) of the highest peak among several (K, 3)."""
    if not found:
        return np.zeros((0, 3))
    views = np.stack(found)
    return views[views[..., 2].argmax(0), np.arange(views.shape[1])]


def to_crop(
    maps: Tensor,
    to_input: np.ndarray,
    crop_hw: tuple[int, ...],
    input_hw: tuple[int, ...],
    align_corners: bool,
    *,
    top: int = 0,
) -> Tensor:
    """Bring maps over the network's input to the crop's pixels, in one bilinear step.

    Args:
        maps: (C, h, w) that cover the input.
        to_input: (2, 3), crop pixels -> input pixels.
        crop_hw, input_hw: (height, width) in pixels.
        align_corners: how the maps cover the input: its outer pixels' centres at the outer cells' centres, or area on
            area.
        top: the crop's row that is the first one given, where a strip of `crop_hw` is wanted.

    Returns:
        (C, *crop_hw).
    """
    height, width = crop_hw
    axes = torch.meshgrid(torch.arange(top, top + height), torch.arange(width), indexing="ij")
    rows, columns = (axis.to(maps.device, torch.float64) for axis in axes)
    sampled = []
    for (by_x, by_y, shift), size in zip(to_input.tolist(), (input_hw[1], input_hw[0]), strict=True):
        pixels = by_x * columns + by_y * rows + shift
        sampled.append(2 * pixels / max(size - 1, 1) - 1 if align_corners else (2 * pixels + 1) / size - 1)
    grid = torch.stack(sampled, dim=-1).to(maps.dtype)[None]
    return functional.grid_sample(maps[None], grid, padding_mode="border", align_corners=align_corners)[0]


def parse_all(
    parser: CropParser, batches: Iterable[list[JudgedItem]], fill: int = 1
) -> Iterator[tuple[JudgedItem, Answer]]:
    """Every item with its answer, in order.

    Batches of fewer than `fill` items are fed with their last one repeated: rounding depends on how many are fed.
    """
    for items in batches:
        filled = items + [items[-1]] * (fill - len(items))
        yield from zip(items, parser.parse(filled), strict=False)
