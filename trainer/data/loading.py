"""Samples as they are judged: the whole crop, letterboxed, at every scale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch.utils.data import DataLoader, Dataset

from pipeline.taxonomy import IGNORE
from trainer.data.augment import place, warp_image
from trainer.data.samples import ParsingSamples
from trainer.data.worker_memory import as_it_is, one_thread
from trainer.input_spec import InputSpec


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

    def __init__(
        self, samples: ParsingSamples, spec: InputSpec, scales: tuple[float, ...], labelled: bool = True
    ) -> None:
        """A sample without a part mask is an error if they must be `labelled`, else its mask is all 255."""
        self.samples = samples
        self.spec = spec
        self.scales = scales
        self.labelled = labelled

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> JudgedItem:
        """Sample number `index`."""
        sample = self.samples[index]
        image = sample.decode_image()
        places = [place(image.shape[:2], scaled(self.spec.size, scale)) for scale in self.scales]
        untold = sample.mask is None and not self.labelled
        return JudgedItem(
            sample.sample_id,
            tuple(warp_image(image, placement, self.spec.fill) for placement in places),
            tuple(placement.to_input for placement in places),
            np.full(image.shape[:2], IGNORE, np.uint8) if untold else self.samples.mask(index, sample),
            self.samples.keypoints(index, sample),
        )


def scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(height, width) of the input at a scale, in whole pixels."""
    return round(size[0] * scale), round(size[1] * scale)


def judged_loader(data: Dataset[JudgedItem], batch_size: int, workers: int) -> DataLoader[JudgedItem]:
    """Lists of items in the order of the samples; the last may be shorter."""
    return DataLoader(
        data, batch_size=batch_size, num_workers=workers, collate_fn=as_it_is, worker_init_fn=one_thread
    )
