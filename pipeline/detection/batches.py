"""Images through a network, as many at once as the device's memory holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from pipeline.errors import DataError

Result = TypeVar("Result")

GPU_BATCH = 8


class Batches:
    """Runs images in batches of like aspect ratio, since a batch is padded to its largest sides.

    Attributes:
        size: images in a call; halved, for good, when the device runs out of memory.
        halvings: how often that was.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.halvings = 0

    def run(
        self, images: Sequence[np.ndarray], network: Callable[[Sequence[np.ndarray]], Sequence[Result]]
    ) -> list[Result]:
        """One result per image, in their order.

        Args:
            images: (H, W, 3) uint8 RGB.
            network: some images -> as many results.

        Raises:
            DataError: the device's memory does not hold a single image.
            ValueError: something is no such image.
        """
        for image in images:
            if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
                raise ValueError(f"image: {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3)")
        order = sorted(range(len(images)), key=lambda row: images[row].shape[1] / images[row].shape[0])
        found: dict[int, Result] = {}
        while len(found) < len(order):
            rows = order[len(found) : len(found) + self.size]
            try:
                results = network([images[row] for row in rows])
            except torch.OutOfMemoryError as error:
                if len(rows) == 1:
                    height, width = images[rows[0]].shape[:2]
                    raise DataError(
                        f"an image of {width}x{height}: the GPU's memory does not hold it by itself. "
                        "Free memory there, or run on the CPU with CUDA_VISIBLE_DEVICES= set to nothing"
                    ) from error
            else:
                found.update(zip(rows, results, strict=True))
                continue
            # Only here, with the error and what it holds gone, can the memory be given back.
            self.size = len(rows) // 2
            self.halvings += 1
            torch.cuda.empty_cache()
        return [found[row] for row in range(len(images))]
