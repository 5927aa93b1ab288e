"""What a camera does to a drawn scene: exposure, tint, blur, noise."""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.datasets.sample.background import smooth_noise
from pipeline.datasets.sample.render import Light


def draw_light(rng: np.random.Generator) -> Light:
    """A lamp in front of and above the scene, from the left or the right."""
    direction = np.array([rng.normal(0, 0.7), -rng.uniform(0.1, 1.0), -rng.uniform(0.5, 1.2)])
    return Light(direction / np.linalg.norm(direction), float(rng.uniform(0.5, 0.75)))


def photograph(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 photograph of a (H, W, 3) float32 scene."""
    size_hw = (scene.shape[0], scene.shape[1])
    gain = rng.uniform(0.88, 1.22) * (1 + rng.normal(0, 0.03, size=3))
    image = scene * gain.astype(np.float32)
    image *= (1 + rng.uniform(0, 0.1) * smooth_noise(rng, size_hw, max(size_hw) / 2))[..., None]
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.8))
    noise = rng.standard_normal(scene.shape, dtype=np.float32)
    image += np.float32(rng.uniform(0.5, 5)) * noise
    return np.clip(image + 0.5, 0, 255).astype(np.uint8)
