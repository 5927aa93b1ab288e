"""LIP: pixel scores of single people, and PCKh with the official joints and skips."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from trainer.protocols.base import CropProtocol
from trainer.scoring import Scores


class Lip(Scores, CropProtocol):
    """Pixel accuracy, mean accuracy, mean IoU; PCKh at half the head's size."""

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **CropProtocol.RULES,
            "joints": "PCKh at 0.5 of the distance of neck and head top, pelvis and thorax in no mean, hits pooled over "
            "joints; people without a head size left out",
        }
    )
