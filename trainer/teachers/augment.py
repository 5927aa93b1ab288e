"""Random changes that both teachers are trained with; all draws come from the generator given."""

from __future__ import annotations

import cv2
import numpy as np


def vary_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 with another contrast, brightness, tint and gamma; one time in ten grey."""
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.88, 1.12, 3)
    shift = rng.uniform(-0.1, 0.1)
    gamma = np.exp(rng.uniform(-0.25, 0.25))
    levels = (np.arange(256) / 255.0) ** gamma
    table = (((levels[:, None] - 0.5) * gain + 0.5 + shift) * 255).clip(0, 255).astype(np.uint8)
    varied = cv2.LUT(image, table[None])
    if rng.random() < 0.1:
        varied = np.repeat(cv2.cvtColor(varied, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return varied
