"""The benchmarks' protocols: what is judged, where, and by which scores. One file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trainer.protocols.atr import Atr
from trainer.protocols.base import CropProtocol, ImageProtocol
from trainer.protocols.cihp import Cihp
from trainer.protocols.coco import Coco
from trainer.protocols.lip import Lip
from trainer.protocols.pascal import Pascal

PROTOCOLS: Mapping[str, type[CropProtocol] | type[ImageProtocol]] = MappingProxyType(
    {"lip": Lip, "atr": Atr, "cihp": Cihp, "pascal": Pascal, "coco": Coco}
)
"""By the name that `evaluate.protocol` has for them."""

__all__ = ["PROTOCOLS", "CropProtocol", "ImageProtocol"]
