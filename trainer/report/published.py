"""Published scores to stand beside a run's own."""

from __future__ import annotations

from typing import NamedTuple


class PublishedRow(NamedTuple):
    """Percent on LIP's real validation set, as printed in CorrPM (CVPR 2020), Table 2."""

    method: str
    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float


LIP_VAL = (
    PublishedRow("DeepLabV2", 82.66, 51.64, 41.64),
    PublishedRow("Attention", 83.43, 54.39, 42.92),
    PublishedRow("Attention + SSL", 84.36, 54.94, 44.73),
    PublishedRow("SS-NAN", 87.59, 56.03, 47.92),
    PublishedRow("MuLA (Hourglass)", 88.50, 60.50, 49.30),
    PublishedRow("JPPNet", 86.39, 62.32, 51.37),
    PublishedRow("CE2P", 87.37, 63.20, 53.10),
    PublishedRow("CorrPM without L_p", 87.36, 66.37, 54.43),
    PublishedRow("CorrPM", 87.68, 67.21, 55.33),
)
