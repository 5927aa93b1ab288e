"""Where the published weights of torchvision's and detectron2's networks lie, and how they are checked."""

from __future__ import annotations

import re

from pipeline.detection.detectron2_model import published_weights
from pipeline.sources.files import RemoteFile


def torchvision_weights(url: str) -> RemoteFile:
    """Those at an address of torchvision's, whose file names end in the first digits of their SHA-256."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    return _file(url, {"sha256": found[1]} if found else {})


def detectron2_weights(config: str) -> RemoteFile:
    """Those of a config of detectron2's model zoo, whose file names end in the first digits of their MD5.

    Raises:
        ParamsError: detectron2 is not installed, or none are published for the config.
    """
    url, digits = published_weights(config)
    return _file(url, {"md5": digits} if digits else {})


def _file(url: str, checksums: dict[str, str]) -> RemoteFile:
    return RemoteFile(url.rsplit("/", 1)[-1], (url,), None, checksums)
