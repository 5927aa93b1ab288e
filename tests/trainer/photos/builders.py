"""A small fixed parser, scenes with their truth, and photos as files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pipeline.datasets.sample.part_names import drawable_parts, parts_lut
from pipeline.datasets.sample.scene import draw_scene
from pipeline.images import encode_jpeg
from pipeline.taxonomy import LABEL_SETS
from tests.trainer.builders import make_params
from trainer.checkpoints import write_model
from trainer.engine.training import fresh_network, make_card

CIHP = LABEL_SETS["cihp"]


def write_parser(path: Path, **train: object) -> Path:
    """A CorrPM with drawn weights whose answers differ from pixel to pixel; other options as of `make_params`."""
    card = make_card(make_params(**train))
    network = fresh_network(card, seed=5)
    generator = torch.Generator().manual_seed(1)
    # Statistics of what it will see, so that its answers depend on the image.
    network.train()
    with torch.no_grad():
        for _ in range(5):
            network(torch.randn(4, 3, *card.input_spec.size, generator=generator))
        # Joints are begun near 0; these lie on both sides of `pose.min_confidence`.
        if hasattr(network, "pose_encoder"):
            torch.nn.init.normal_(network.pose_encoder.predict.weight, 0, 200, generator=generator)
    write_model(path, card, network.state_dict())
    return path


def scene(seed: int, people: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W, 3) image, (H, W) CIHP part ids and (H, W) person ids of a drawn scene."""
    drawn = draw_scene(
        np.random.default_rng(seed), (160, 200), people, allowed=drawable_parts(CIHP), heights=(0.7, 1.1)
    )
    return drawn.image, parts_lut(CIHP)[drawn.parts], drawn.people


def write_photo(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_jpeg(image))
    return path


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of an image file as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
