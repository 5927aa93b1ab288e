"""ATR: accuracy, foreground accuracy, average precision, average recall, average F1 over the classes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from trainer.protocols.base import CropProtocol


class Atr(CropProtocol):
    """The scores of PaperDoll's scorer, of which ATR's tables are; all of them follow from the pixel counts."""

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **CropProtocol.RULES,
            "averages": "precision, recall and F1 of each class with the background, then a mean over those that are defined; "
            "the foreground is every class but the background, by its true pixels",
        }
    )
