"""Work for a network in batches that shrink when the GPU's memory does not hold them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch

from pipeline.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

GPU_BATCH = 8


class ShrinkingBatches(Generic[Item]):
    """Runs a network over batches of at most `size`; a batch that the GPU cannot hold is halved and tried again.

    Args:
        name_of: how an item is called in an error.

    Attributes:
        size: of a batch now; it never grows again.
        halvings: how often it was halved.
    """

    def __init__(self, size: int, name_of: Callable[[Item], str]) -> None:
        self.size = size
        self.halvings = 0
        self._name_of = name_of

    def run(self, network: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]) -> list[Result]:
        """One result per item, in their order.

        Args:
            network: some items -> as many results.

        Raises:
            DataError: the GPU's memory does not hold a single item.
        """
        results: list[Result] = []
        while len(results) < len(items):
            batch = items[len(results) : len(results) + self.size]
            try:
                found = network(batch)
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise DataError(
                        f"{self._name_of(batch[0])}: the GPU's memory does not hold it by itself. "
                        "Free memory there, or run on the CPU with CUDA_VISIBLE_DEVICES= set to nothing"
                    ) from error
            else:
                results += [result for _, result in zip(batch, found, strict=True)]
                continue
            # Only here, with the error and what it holds gone, can the memory be given back.
            self.size = len(batch) // 2
            self.halvings += 1
            torch.cuda.empty_cache()
        return results


def image_name(image: np.ndarray) -> str:
    """How an image is called in an error."""
    return f"an image of {image.shape[1]}x{image.shape[0]}"


class ImageBatches(ShrinkingBatches[np.ndarray]):
    """Batches of images of like aspect ratio, since a batch is padded to its largest sides."""

    def __init__(self, size: int) -> None:
        super().__init__(size, image_name)

    def run(
        self, network: Callable[[Sequence[np.ndarray]], Sequence[Result]], items: Sequence[np.ndarray]
    ) -> list[Result]:
        """One result per image (H, W, 3) uint8 RGB, in their order.

        Raises:
            DataError: the GPU's memory does not hold a single image.
            ValueError: something is no such image.
        """
        for image in items:
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
                raise ValueError(f"image: {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3)")
        order = sorted(range(len(items)), key=lambda row: items[row].shape[1] / items[row].shape[0])
        found = dict(zip(order, super().run(network, [items[row] for row in order]), strict=True))
        return [found[row] for row in range(len(items))]
