"""The plain way to training samples, to compare with: every label by numpy in the worker, everything sent as floats.

A sample is decoded, mirrored by copying, its left and right ids exchanged by comparisons, warped, made a normalised float32
tensor; its edges are drawn in float64 by comparing shifted masks, its heatmaps in float64, a Gaussian patch at a time. The
batch is put together by torch's own collation and sent from the worker whole. The random draws, the maps and the labels are
those of trainer.data, so that both give the same samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset

from pipeline.geometry.affine import transform_points
from pipeline.params import Augment, Heatmaps
from pipeline.records import Sample
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet
from trainer.data.augment import draw, draw_placement
from trainer.input_spec import InputSpec

Plain = tuple[torch.Tensor, np.ndarray, np.ndarray, np.ndarray]
"""A sample: float32 image (3, H, W), int64 mask (H, W), float64 heatmaps (K, h, w), float64 edges (H, W)."""


class PlainData(Dataset[Plain]):
    """Samples by (epoch, index), from bytes that lie in memory."""

    def __init__(
        self,
        samples: Sequence[Sample],
        sets: tuple[LabelSet, KeypointSet],
        spec: InputSpec,
        augment: Augment,
        heatmaps: Heatmaps,
        seed: int,
    ) -> None:
        self.samples = samples
        self.label_set, self.keypoint_set = sets
        self.spec = spec
        self.augment = augment
        self.heatmaps = heatmaps
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Plain:
        epoch, index = key
        sample = self.samples[index]
        image = cv2.imdecode(np.frombuffer(sample.image, np.uint8), cv2.IMREAD_COLOR)
        mask = cv2.imdecode(np.frombuffer(sample.mask, np.uint8), cv2.IMREAD_GRAYSCALE)
        keypoints = sample.keypoints.astype(np.float64)
        draws = draw(self.seed, epoch, f"{sample.dataset}/{sample.sample_id}")
        placement = draw_placement(mask.shape, self.spec.size, self.augment, draws)
        to_input = placement.to_input
        if placement.mirrored:
            image, mask = image[:, ::-1], exchanged(mask[:, ::-1], self.label_set)
            keypoints = keypoints[self.keypoint_set.hflip_index]
            keypoints[:, 0] = np.where(keypoints[:, 2] > 0, mask.shape[1] - 1 - keypoints[:, 0], 0)
            back = np.array([[-1.0, 0, mask.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
            to_input = to_input @ back
        size = self.spec.size[::-1]
        image = cv2.warpAffine(image, to_input, size, flags=cv2.INTER_LINEAR, borderValue=self.spec.fill[::-1])
        mask = cv2.warpAffine(mask, to_input, size, flags=cv2.INTER_NEAREST, borderValue=IGNORE)
        keypoints[:, :2] = transform_points(to_input, keypoints[:, :2])
        return (
            normalised(image, self.spec),
            mask.astype(np.int64),
            gaussians(keypoints, self.spec.size, self.heatmaps),
            edges(mask.astype(np.float64)),
        )


def exchanged(mask: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """The mask with the ids of left and right exchanged, a pair at a time."""
    result = mask.copy()
    for index, other in enumerate(label_set.hflip_lut[: len(label_set)]):
        if index != other:
            result[np.where(mask == index)] = other
    return result


def normalised(image: np.ndarray, spec: InputSpec) -> torch.Tensor:
    """(H, W, 3) uint8 BGR -> (3, H, W) float32 as the network wants it."""
    if spec.order == "rgb":
        image = image[..., ::-1].copy()
    tensor = torch.from_numpy(image.transpose(2, 0, 1)).contiguous().float().div(255)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    return tensor.sub_(mean).div_(std)


def edges(mask: np.ndarray) -> np.ndarray:
    """(H, W) float64 of {0, 1}: borders of the parts, 3 wide."""
    marked = np.zeros_like(mask)
    lower, upper = mask[1:], mask[:-1]
    marked[1:][(lower != upper) & (lower != IGNORE) & (upper != IGNORE)] = 1
    left, right = mask[:, :-1], mask[:, 1:]
    marked[:, :-1][(left != right) & (left != IGNORE) & (right != IGNORE)] = 1
    first, second = mask[:-1, :-1], mask[1:, 1:]
    marked[:-1, :-1][(first != second) & (first != IGNORE) & (second != IGNORE)] = 1
    first, second = mask[:-1, 1:], mask[1:, :-1]
    marked[:-1, 1:][(first != second) & (first != IGNORE) & (second != IGNORE)] = 1
    return cv2.dilate(marked, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3)))


def gaussians(keypoints: np.ndarray, size: tuple[int, int], heatmaps: Heatmaps) -> np.ndarray:
    """(K, h, w) float64 in CorrPM's convention, sigma in cells; keypoints outside the input are not drawn."""
    height, width = size[0] // heatmaps.stride, size[1] // heatmaps.stride
    maps = np.zeros((len(keypoints), height, width))
    reach = int(3 * heatmaps.sigma)
    for number, (x, y, v) in enumerate(keypoints):
        if v <= 0 or not (-0.5 < x < size[1] - 0.5 and -0.5 < y < size[0] - 0.5):
            continue
        column, row = int(x / heatmaps.stride + 0.5), int(y / heatmaps.stride + 0.5)
        offsets = np.arange(-reach, reach + 1, dtype=np.float64)
        patch = np.exp(-(offsets[None] ** 2 + offsets[:, None] ** 2) / (2 * heatmaps.sigma**2))
        top, left = max(0, row - reach), max(0, column - reach)
        bottom, right = min(height, row + reach + 1), min(width, column + reach + 1)
        maps[number, top:bottom, left:right] = patch[
            top - row + reach : bottom - row + reach, left - column + reach : right - column + reach
        ]
    return maps
