"""Pixel scores of human parsing from one confusion matrix over a whole set."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor

from pipeline.taxonomy import IGNORE

Absent = Literal["skip", "zero"]

EXACT_PIXELS = 2**24
"""As many pixels OpenCV's float32 histograms count exactly."""


class ParsingMetrics:
    """Counts pixels image by image, where the tensors lie; scores them at the end."""

    def __init__(self, num_classes: int, ignore: int = IGNORE, absent: Absent = "skip") -> None:
        """Start with no pixels.

        Args:
            num_classes: classes with the background.
            ignore: true id of pixels that are not judged.
            absent: "skip" leaves a class whose score is undefined (0 / 0) out of a mean; "zero" scores it 0, as
                CorrPM's and SCHP's scorers do. Both agree where every class occurs.
        """
        if num_classes < 1:
            raise ValueError(f"num_classes: {num_classes}, expected at least 1")
        if absent not in ("skip", "zero"):
            raise ValueError(f"absent: {absent!r}, expected 'skip' or 'zero'")
        self.num_classes = num_classes
        self.ignore = ignore
        self.absent = absent
        self._counts = torch.zeros(num_classes**2, dtype=torch.int64)

    @property
    def confusion(self) -> np.ndarray:
        """(C, C) int64, pixels of true class i predicted as j, summed over all updates."""
        return self._counts.cpu().numpy().reshape(self.num_classes, self.num_classes).copy()

    def __getstate__(self) -> dict[str, Any]:
        """Counts travel between processes, whose devices differ, on the CPU."""
        return {**self.__dict__, "_counts": self._counts.cpu()}

    def update(self, pred: np.ndarray | Tensor, target: np.ndarray | Tensor) -> ParsingMetrics:
        """Count the pixels of one image or batch.

        Args:
            pred: integer ids, any shape.
            target: integer ids of the same shape; pixels of the ignored id are left out.

        Returns:
            Itself.

        Raises:
            ValueError: the shapes differ, a value is no integer, or an id is not below num_classes.
        """
        if tuple(pred.shape) != tuple(target.shape):
            raise ValueError(f"pred: shape {tuple(pred.shape)}, expected the target's {tuple(target.shape)}")
        if isinstance(pred, np.ndarray) and isinstance(target, np.ndarray) and pred.dtype == target.dtype == np.uint8:
            histogram = _histogram(pred, target, self.num_classes, self.ignore)
            if histogram is not None:
                self._counts = self._counts + torch.from_numpy(histogram.ravel()).to(self._counts.device)
                return self
        truth, guess = _ids("target", target), _ids("pred", pred)
        device = guess.device if truth.device.type == "cpu" else truth.device
        truth, guess = truth.to(device), guess.to(device)
        judged = truth != self.ignore
        truth, guess = truth[judged], guess[judged]
        for name, ids in (("target", truth), ("pred", guess)):
            if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < self.num_classes):
                raise ValueError(
                    f"{name}: ids from {int(ids.min())} to {int(ids.max())}, expected 0 to {self.num_classes - 1}"
                )
        counts = torch.bincount(truth * self.num_classes + guess, minlength=self.num_classes**2)
        self._counts = self._counts.to(device) + counts
        return self

    def merge(self, other: ParsingMetrics) -> None:
        """Add what another one has counted.

        Raises:
            ValueError: it has another number of classes or other rules.
        """
        rules = (self.num_classes, self.ignore, self.absent)
        if (other.num_classes, other.ignore, other.absent) != rules:
            raise ValueError(
                f"other: classes, ignore and absent {(other.num_classes, other.ignore, other.absent)}, expected {rules}"
            )
        self._counts = self._counts + other._counts.to(self._counts.device)

    def compute(self) -> dict[str, Any]:
        """Scores of all pixels counted so far, in percent.

        With M the confusion matrix, T its row sums (truth), P its column sums (prediction), D its diagonal:
        pixel_accuracy = sum D / sum M; iou = D / (T + P - D); mean_accuracy and recall = mean of D / T;
        precision = mean of D / P; f1 = mean of 2 D / (T + P); foreground_accuracy = sum D / sum T over classes from 1.
        A score without any pixel is nan ("skip") or 0 ("zero").

        Returns:
            iou: a list of num_classes floats; the others: floats.
        """
        confusion = self.confusion
        diagonal = np.diag(confusion).astype(np.float64)
        true, predicted = confusion.sum(1), confusion.sum(0)
        iou = self._percent(diagonal, true + predicted - diagonal)
        recall = self._percent(diagonal, true)
        return {
            "pixel_accuracy": float(self._percent(diagonal.sum(), true.sum())),
            "mean_accuracy": _mean(recall),
            "mean_iou": _mean(iou),
            "iou": iou.tolist(),
            "foreground_accuracy": float(self._percent(diagonal[1:].sum(), true[1:].sum())),
            "precision": _mean(self._percent(diagonal, predicted)),
            "recall": _mean(recall),
            "f1": _mean(self._percent(2 * diagonal, true + predicted)),
        }

    def _percent(self, part: Any, whole: Any) -> np.ndarray:
        """100 part / whole; nan or 0, as `absent` says, where the whole is 0."""
        undefined = np.nan if self.absent == "skip" else 0.0
        whole = np.asarray(whole, np.float64)
        return np.where(whole > 0, 100 * part / np.maximum(whole, 1), undefined)


def _histogram(pred: np.ndarray, target: np.ndarray, num_classes: int, ignore: int) -> np.ndarray | None:
    """(C, C) int64 of uint8 ids in one pass; None where an id that is judged is no class, or there are no pixels."""
    truth, guess = (np.ascontiguousarray(ids).reshape(1, -1) for ids in (target, pred))
    if not 0 < truth.size <= EXACT_PIXELS:
        return None
    limits = [0, num_classes, 0, num_classes]
    counts = cv2.calcHist([truth, guess], [0, 1], None, [num_classes, num_classes], limits).astype(np.int64)
    judged = truth.size
    if 0 <= ignore < 256:
        judged -= int(np.count_nonzero(truth == ignore))
        counts[ignore : ignore + 1] = 0
    return counts if counts.sum() == judged else None


def _ids(name: str, ids: np.ndarray | Tensor) -> Tensor:
    tensor = ids if isinstance(ids, Tensor) else torch.from_numpy(np.ascontiguousarray(ids))
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise ValueError(f"{name}: {tensor.dtype}, expected an integer type")
    return tensor.reshape(-1).long()


def _mean(scores: np.ndarray) -> float:
    """Mean over the defined scores, nan where there are none."""
    defined = scores[~np.isnan(scores)]
    return float(defined.mean()) if defined.size else float("nan")
