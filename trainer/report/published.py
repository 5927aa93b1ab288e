"""Published scores to stand beside a run's own, in percent, as the papers print them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedTable:
    """A paper's table.

    Attributes:
        where: the set it was measured on.
        source: paper and table.
        columns: title -> name of the score that it is.
        rows: method and its scores, in the order of the columns, best last.
    """

    where: str
    source: str
    columns: Mapping[str, str]
    rows: tuple[tuple[str, tuple[float, ...]], ...]


_CORRPM, _MULA = "CorrPM, CVPR 2020", "MuLA, ECCV 2018"

PUBLISHED: Mapping[str, PublishedTable] = {
    "lip": PublishedTable(
        where="the real LIP validation set",
        source=f"{_CORRPM}, Table 2",
        columns={"pixel acc.": "pixel_accuracy", "mean acc.": "mean_accuracy", "mIoU": "mean_iou"},
        rows=(
            ("DeepLabV2", (82.66, 51.64, 41.64)),
            ("Attention", (83.43, 54.39, 42.92)),
            ("Attention + SSL", (84.36, 54.94, 44.73)),
            ("SS-NAN", (87.59, 56.03, 47.92)),
            ("MuLA (Hourglass)", (88.50, 60.50, 49.30)),
            ("JPPNet", (86.39, 62.32, 51.37)),
            ("CE2P", (87.37, 63.20, 53.10)),
            ("CorrPM without L_p", (87.36, 66.37, 54.43)),
            ("CorrPM", (87.68, 67.21, 55.33)),
        ),
    ),
    "atr": PublishedTable(
        where="the real ATR test set",
        source=f"{_CORRPM}, Table 3",
        columns={
            "acc.": "pixel_accuracy",
            "fg. acc.": "foreground_accuracy",
            "precision": "precision",
            "recall": "recall",
            "F1": "f1",
        },
        rows=(
            ("DeepLabV2", (94.42, 82.93, 69.24, 78.48, 73.53)),
            ("Attention", (95.41, 85.71, 81.30, 73.55, 77.23)),
            ("CoCNN", (96.02, 83.57, 84.59, 77.66, 80.14)),
            ("TGPNet", (96.45, 87.91, 83.36, 80.22, 81.76)),
            ("CorrPM", (97.12, 90.40, 89.18, 83.93, 86.12)),
        ),
    ),
    "cihp": PublishedTable(
        where="the real CIHP validation set",
        source=f"{_CORRPM}, Table 4",
        columns={"mIoU": "mean_iou"},
        rows=(
            ("PGN", (55.80,)),
            ("Parsing R-CNN (ResNet50)", (57.50,)),
            ("Graphonomy", (58.58,)),
            ("Parsing R-CNN (ResNeXt101)", (59.80,)),
            ("CorrPM", (60.18,)),
        ),
    ),
    "pascal": PublishedTable(
        where="the real PASCAL-Person-Part",
        source=f"{_MULA}, Table 6",
        columns={"mIoU": "mean_iou"},
        rows=(
            ("Attention + SSL", (59.4,)),
            ("SS-NAN", (62.4,)),
            ("MuLA's baseline", (62.9,)),
            ("Xia et al.", (64.4,)),
            ("MuLA", (65.1,)),
        ),
    ),
}
"""Protocol -> what was published by it."""

_LIP_CLASSES = (
    "hat", "hair", "glove", "sunglasses", "upper-clothes", "dress", "coat", "socks", "pants", "jumpsuits", "scarf",
    "skirt", "face", "left-arm", "right-arm", "left-leg", "right-leg", "left-shoe", "right-shoe", "background",
)  # fmt: skip
"""In the order of the paper's table."""

_LIP_IOU = {
    "CorrPM": (66.20, 71.56, 41.06, 31.09, 70.20, 37.74, 57.95, 48.40, 75.19, 32.37, 23.79, 29.23, 74.36, 66.53, 68.61, 62.80, 62.81, 49.03, 49.82, 87.77),
    "CE2P": (65.29, 72.54, 39.09, 32.73, 69.46, 32.52, 56.28, 49.67, 74.11, 27.23, 14.19, 22.51, 75.50, 65.14, 66.59, 60.10, 58.59, 46.63, 46.12, 87.67),
    "JPPNet": (63.55, 70.20, 36.16, 23.48, 68.15, 31.42, 55.65, 44.56, 72.19, 28.39, 18.76, 25.14, 73.36, 61.97, 63.88, 58.21, 57.99, 44.02, 44.09, 86.26),
    "P": (63.61, 69.18, 36.25, 27.68, 67.23, 31.80, 53.69, 43.45, 71.75, 28.76, 14.33, 24.39, 72.33, 57.76, 60.74, 47.80, 47.38, 34.18, 34.90, 86.22),
}  # fmt: skip

LIP_IOU: Mapping[str, Mapping[str, float]] = {
    method: dict(zip(_LIP_CLASSES, row, strict=True)) for method, row in _LIP_IOU.items()
}
"""Method -> class -> IoU on the real LIP validation set; P is CorrPM's network with the parsing feature alone."""
LIP_IOU_SOURCE = f"{_CORRPM}, Table 5"
