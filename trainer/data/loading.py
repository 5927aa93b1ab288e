"""Samples to batches of arrays, in worker processes; equal for any number of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from torch.utils.data import DataLoader, Dataset

from pipeline.params import Augment
from pipeline.taxonomy import IGNORE
from trainer.data.augment import change_colours, draw, draw_placement, place, warp_image, warp_keypoints, warp_mask
from trainer.data.epoch_batches import EpochBatches
from trainer.data.samples import ParsingSamples
from trainer.input_spec import InputSpec


OUTSIDE = {"ignore": IGNORE, "background": 0}
"""Labels around the crop by the name that `train.augment.outside` has for them."""


class Batch(NamedTuple):
    """Training samples; before collation one sample's arrays, without the first axis.

    Attributes:
        images: (N, H, W, 3) uint8 RGB.
        masks: (N, H, W) uint8 part ids, 255 outside the image.
        keypoints: (N, K, 3) float32 x, y, v in input pixels.
    """

    images: Any
    masks: Any
    keypoints: Any


class TrainingData(Dataset[Batch]):
    """Augmented samples, indexed by (epoch, index): no worker keeps a random state."""

    def __init__(self, samples: ParsingSamples, spec: InputSpec, augment: Augment, seed: int) -> None:
        self.samples = samples
        self.spec = spec
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> Batch:
        """The sample of that index as it looks in that epoch."""
        epoch, index = key
        sample = self.samples[index]
        image = sample.decode_image()
        draws = draw(self.seed, epoch, f"{sample.dataset}/{sample.sample_id}")
        placement = draw_placement(image.shape[:2], self.spec.size, self.augment, draws)
        return Batch(
            warp_image(change_colours(image, self.augment, draws), placement, self.spec.fill),
            warp_mask(self.samples.mask(index, sample), placement, self.samples.label_set, OUTSIDE[self.augment.outside]),
            warp_keypoints(self.samples.keypoints(index, sample), placement, self.samples.keypoint_set),
        )


class JudgedItem(NamedTuple):
    """A sample as the network sees it and as it is judged.

    Attributes:
        sample_id: of its data set.
        images: per scale (h, w, 3) uint8 RGB, letterboxed.
        to_input: per scale (2, 3) float64, crop pixels -> pixels of that image.
        mask: (H, W) uint8 part ids of the whole crop.
        keypoints: (K, 3) float32 in crop pixels.
    """

    sample_id: str
    images: tuple[np.ndarray, ...]
    to_input: tuple[np.ndarray, ...]
    mask: np.ndarray
    keypoints: np.ndarray


class JudgedData(Dataset[JudgedItem]):
    """Samples without augmentation, letterboxed to the input size times each scale."""

    def __init__(self, samples: ParsingSamples, spec: InputSpec, scales: tuple[float, ...]) -> None:
        self.samples = samples
        self.spec = spec
        self.scales = scales

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> JudgedItem:
        """Sample number `index`."""
        sample = self.samples[index]
        image = sample.decode_image()
        places = [place(image.shape[:2], scaled(self.spec.size, scale)) for scale in self.scales]
        return JudgedItem(
            sample.sample_id,
            tuple(warp_image(image, placement, self.spec.fill) for placement in places),
            tuple(placement.to_input for placement in places),
            self.samples.mask(index, sample),
            self.samples.keypoints(index, sample),
        )


def scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) of the input at a scale, in whole pixels."""
    return round(size[0] * scale), round(size[1] * scale)


def training_loader(data: TrainingData, batches: EpochBatches, workers: int, pin: bool) -> DataLoader[Batch]:
    """Batches of tensors, one epoch per iteration; set `batches.epoch` before each."""
    return DataLoader(
        data,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
        worker_init_fn=_one_thread,
    )


def judged_loader(data: JudgedData, batch_size: int, workers: int) -> DataLoader[JudgedItem]:
    """Lists of items in the order of the samples; the last may be shorter."""
    return DataLoader(
        data, batch_size=batch_size, num_workers=workers, collate_fn=_as_they_are, worker_init_fn=_one_thread
    )


def _as_they_are(items: list[JudgedItem]) -> list[JudgedItem]:
    return items


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)
