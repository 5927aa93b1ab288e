"""What loaders made for LIP take for granted: 20 classes, and three pairs of ids that trade places in a mirrored image."""

from __future__ import annotations

import numpy as np

from pipeline.errors import ParamsError
from pipeline.export.target import flip_pairs
from pipeline.taxonomy import LABEL_SETS, LabelSet

_LIP = LABEL_SETS["lip"]


def refuse_unlike_lip(parts: LabelSet, form: str) -> None:
    """Refuse a label set that such a loader would mirror wrongly or has no place for.

    Sets with LIP's pairs pass (CIHP), and so do those without sides that end before the first pair (PASCAL).

    Raises:
        ParamsError: it is another set.
    """
    mend = "Map the labels to LIP's ids first, or take folder, coco, mmseg or webdataset"
    if len(parts) > len(_LIP):
        raise ParamsError(
            f"--format {form}: label set {parts.name!r} has {len(parts)} classes, the tool's code is made for {len(_LIP)}. {mend}"
        )
    if not np.array_equal(parts.hflip_lut[: len(parts)], _LIP.hflip_lut[: len(parts)]):
        raise ParamsError(
            f"--format {form}: the tool's code swaps the ids {_told(_LIP)} in a mirrored image, label set {parts.name!r} "
            f"swaps {_told(parts)}. {mend}"
        )


def _told(parts: LabelSet) -> str:
    return ", ".join(f"{one}-{other}" for one, other in flip_pairs(parts)) or "none"
