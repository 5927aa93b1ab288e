"""Which part of an image, how large and which way round, a network of regions sees in training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE_MULTIPLE = 32
"""Of the images that a feature pyramid takes, in pixels."""


@dataclass(frozen=True)
class ImageViews:
    """How training images are seen; half of them mirrored.

    Attributes:
        scale: least and greatest factor on the network's own scale, at which the shorter side has `InputSpec.size[0]`
            pixels.
        square: a part of the image on a square that is a seventh larger than that, small images somewhere on it;
            else the whole image, its longer side at most `InputSpec.size[1]`.
    """

    scale: tuple[float, float]
    square: bool

    def draw(
        self, image_hw: tuple[int, int], size: tuple[int, int], rng: np.random.Generator
    ) -> tuple[np.ndarray, tuple[int, int]]:
        """A random view: the (2, 3) float64 map from image pixels to its pixels, and its (height, width).

        Args:
            size: of the network's InputSpec.
        """
        matrix, view_hw = (_square if self.square else _whole)(image_hw, size, self.scale, rng)
        if rng.random() < 0.5:
            matrix[0] = -matrix[0]
            matrix[0, 2] += view_hw[1] - 1
        return matrix, view_hw


SMALL_VIEWS = ImageViews(scale=(0.7, 1.3), square=True)
PUBLISHED_VIEWS = ImageViews(scale=(0.8, 1.0), square=False)
"""The shorter side 640 to 800 pixels where the network's is 800, as torchvision's and detectron2's were trained."""


def is_mirrored(matrix: np.ndarray) -> bool:
    """Whether a map of `ImageViews.draw` mirrors."""
    return bool(matrix[0, 0] < 0)


def _square(
    image_hw: tuple[int, int], size: tuple[int, int], scale_range: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[int, int]]:
    """(2, 3) float64: image pixels -> a square at a random place, and its (height, width)."""
    height, width = image_hw
    side = -(-size[0] * 8 // 7 // SIDE_MULTIPLE) * SIDE_MULTIPLE
    scale = size[0] / min(height, width) * np.exp(rng.uniform(*np.log(scale_range)))
    dx = rng.uniform(*sorted((0.0, side - scale * width)))
    dy = rng.uniform(*sorted((0.0, side - scale * height)))
    half = 0.5 * scale - 0.5  # pixel centres are at integers, the image's area starts half a pixel before
    matrix = np.array([[scale, 0, dx + half], [0, scale, dy + half]])
    return matrix, (side, side)


def _whole(
    image_hw: tuple[int, int], size: tuple[int, int], scale_range: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[int, int]]:
    """(2, 3) float64: image pixels -> the whole image at a random scale, and its (height, width)."""
    scale = size[0] / min(image_hw) * rng.uniform(*scale_range)
    scale = min(scale, size[1] / max(image_hw))
    height, width = (max(1, round(scale * side)) for side in image_hw)
    scale_x, scale_y = width / image_hw[1], height / image_hw[0]
    matrix = np.array([[scale_x, 0, 0.5 * scale_x - 0.5], [0, scale_y, 0.5 * scale_y - 0.5]])
    return matrix, (height, width)
