"""Training samples in batches: augmented, and equal for any number of worker processes."""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from pipeline.params import Augment, Params
from pipeline.taxonomy import IGNORE
from trainer.data.augment import change_colours, draw, draw_placement, warp_image, warp_keypoints, warp_mask
from trainer.data.batch import Batch, Keys
from trainer.data.epoch_batches import EpochBatches
from trainer.data.samples import ParsingSamples
from trainer.data.stored import StoredTargets
from trainer.data.worker_memory import SharedBatches, as_it_is
from trainer.input_spec import InputSpec

OUTSIDE = {"ignore": IGNORE, "background": 0}
"""Labels around the crop by the name that `train.augment.outside` has for them."""


class TrainingData(Dataset[Batch]):
    """Batches of augmented samples, by (epoch, index) of each: no worker keeps a random state."""

    def __init__(
        self,
        samples: ParsingSamples,
        spec: InputSpec,
        augment: Augment,
        seed: int,
        stored: StoredTargets | None = None,
    ) -> None:
        """Batches of `samples`, with edges and heatmaps where they are taken from the shards."""
        self.samples = samples
        self.spec = spec
        self.augment = augment
        self.seed = seed
        self.stored = stored

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
        size, stored = self.spec.size, self.stored
        return Batch(
            torch.empty((count, *size, 3), dtype=torch.uint8),
            torch.empty((count, *size), dtype=torch.uint8),
            torch.empty((count, len(self.samples.keypoint_set), 3)),
            None if stored is None else torch.empty((count, *size), dtype=torch.uint8),
            None if stored is None else torch.empty((count, *stored.heatmap_shape), dtype=torch.float16),
        )

    def fill(self, keys: Keys, batch: Batch) -> None:
        """Write samples into the first rows of a batch's tensors: each pixel is written once, where it is to lie.

        Raises:
            DataError: as `__getitem__`.
        """
        rows = batch.map(torch.Tensor.numpy)
        samples = [self.samples[index] for _, index in keys]
        draws = [
            draw(self.seed, epoch, f"{sample.dataset}/{sample.sample_id}")
            for (epoch, _), sample in zip(keys, samples, strict=True)
        ]
        placements = [
            draw_placement((sample.height, sample.width), self.spec.size, self.augment, numbers)
            for sample, numbers in zip(samples, draws, strict=True)
        ]
        outside = OUTSIDE[self.augment.outside]
        for row, (_, index) in enumerate(keys):
            image = change_colours(samples[row].decode_image(), self.augment, draws[row])
            warp_image(image, placements[row], self.spec.fill, rows.images[row])
            mask = self.samples.mask(index, samples[row])
            warp_mask(mask, placements[row], self.samples.label_set, outside, rows.masks[row])
            if self.stored is not None:
                rows.edges[row] = self.stored.edges(samples[row])
                rows.heatmaps[row] = self.stored.heatmaps(index)
        keypoints = [self.samples.keypoints(index, sample) for (_, index), sample in zip(keys, samples, strict=True)]
        moved = warp_keypoints(np.array(keypoints), placements, self.samples.keypoint_set, self.spec.size)
        rows.keypoints[: len(keys)] = moved


def training_data(params: Params, samples: ParsingSamples, spec: InputSpec) -> TrainingData:
    """The samples as the sections seed and train want them.

    Raises:
        ParamsError: stored targets are wanted, and are not those of the input.
        DataError: they are wanted and there are none.
    """
    settings = params.train
    stored = settings.targets == "stored"
    targets = StoredTargets(samples, spec.size, params.edges, params.heatmaps) if stored else None
    return TrainingData(samples, spec, settings.augment, params.seed, targets)


def training_loader(
    data: TrainingData, batches: EpochBatches, workers: int, pin: bool
) -> DataLoader[Batch] | SharedBatches:
    """Batches of tensors, one epoch per iteration; set `batches.epoch` before each.

    With `pin` they lie in memory from which an accelerator copies by itself.
    """
    if workers:
        return SharedBatches(data, batches, batches.largest, workers, pin)
    return DataLoader(data, sampler=batches, batch_size=None, collate_fn=as_it_is, pin_memory=pin)
