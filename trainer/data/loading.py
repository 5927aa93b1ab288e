"""Samples to batches of arrays, in worker processes; equal for any number of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.params import Augment
from pipeline.taxonomy import IGNORE
from trainer.data.augment import change_colours, draw, draw_placement, place, warp_image, warp_keypoints, warp_mask
from trainer.data.batch import Batch, Keys
from trainer.data.epoch_batches import EpochBatches
from trainer.data.samples import ParsingSamples
from trainer.data.worker_memory import SharedBatches, as_it_is, one_thread
from trainer.input_spec import InputSpec


OUTSIDE = {"ignore": IGNORE, "background": 0}
"""Labels around the crop by the name that `train.augment.outside` has for them."""


class TrainingData(Dataset[Batch]):
    """Batches of augmented samples, by (epoch, index) of each: no worker keeps a random state."""

    def __init__(self, samples: ParsingSamples, spec: InputSpec, augment: Augment, seed: int) -> None:
        self.samples = samples
        self.spec = spec
        self.augment = augment
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, keys: Keys) -> Batch:
        """The samples of those indices as they look in those epochs.

        Raises:
            DataError: a sample is damaged, or has no mask.
        """
        batch = self.empty(len(keys))
        self.fill(keys, batch)
        return batch

    def empty(self, count: int) -> Batch:
        """Tensors for so many samples."""
        size = self.spec.size
        return Batch(
            torch.empty((count, *size, 3), dtype=torch.uint8),
            torch.empty((count, *size), dtype=torch.uint8),
            torch.empty((count, len(self.samples.keypoint_set), 3)),
        )

    def fill(self, keys: Keys, batch: Batch) -> None:
        """Write samples into the first rows of a batch's tensors: each pixel is written once, where it is to lie.

        Raises:
            DataError: as `__getitem__`.
        """
        rows = batch.map(torch.Tensor.numpy)
        for row, (epoch, index) in enumerate(keys):
            sample = self.samples[index]
            image, mask = sample.decode_image(), self.samples.mask(index, sample)
            draws = draw(self.seed, epoch, f"{sample.dataset}/{sample.sample_id}")
            placement = draw_placement(image.shape[:2], self.spec.size, self.augment, draws)
            warp_image(change_colours(image, self.augment, draws), placement, self.spec.fill, rows.images[row])
            outside = OUTSIDE[self.augment.outside]
            warp_mask(mask, placement, self.samples.label_set, outside, rows.masks[row])
            keypoints = self.samples.keypoints(index, sample)
            rows.keypoints[row] = warp_keypoints(keypoints, placement, self.samples.keypoint_set)


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


def training_loader(
    data: TrainingData, batches: EpochBatches, workers: int, pin: bool
) -> DataLoader[Batch] | SharedBatches:
    """Batches of tensors, one epoch per iteration; set `batches.epoch` before each.

    With `pin` they lie in memory from which an accelerator copies by itself.
    """
    if workers:
        return SharedBatches(data, batches, batches.largest, workers, pin)
    return DataLoader(data, sampler=batches, batch_size=None, collate_fn=as_it_is, pin_memory=pin)


def judged_loader(data: Dataset[JudgedItem], batch_size: int, workers: int) -> DataLoader[JudgedItem]:
    """Lists of items in the order of the samples; the last may be shorter."""
    return DataLoader(
        data, batch_size=batch_size, num_workers=workers, collate_fn=as_it_is, worker_init_fn=one_thread
    )
