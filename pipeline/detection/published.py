"""Where the published weights of torchvision's and detectron2's networks lie, and how they are checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.detection.detectron2_model import published_weights


@dataclass(frozen=True)
class PublishedWeights:
    """Weights fitted on COCO.

    Attributes:
        url: their address.
        checksums: algorithm of hashlib -> the first digits, which the file's name carries.
    """

    url: str
    checksums: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rsplit("/", 1)[-1]


def torchvision_weights(url: str) -> PublishedWeights:
    """Those at an address of torchvision's, whose file names end in the first digits of their SHA-256."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    return PublishedWeights(url, {"sha256": found[1]} if found else {})


def detectron2_weights(config: str) -> PublishedWeights:
    """Those of a config of detectron2's model zoo.

    Raises:
        ParamsError: detectron2 is not installed, or none are published for the config.
    """
    url, digits = published_weights(config)
    return PublishedWeights(url, {"md5": digits} if digits else {})
