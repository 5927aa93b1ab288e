"""PCKh: joints found within a share of the head's size, by the rules of LIP's scorer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

_UPPER_BODY = range(8, 16)
"""Neck, head top, wrists, elbows and shoulders, in LIP's and MPII's joint order."""


class PckhCounts:
    """Counts hits sample by sample, scores them at the end; the rules are those of `pckh`.

    Attributes:
        hits, judged: (K,) int64 per joint.
    """

    def __init__(
        self, joints: int, head: tuple[int, int] = (8, 9), threshold: float = 0.5, skip: Sequence[int] = (6, 7)
    ) -> None:
        """Start with no joint; arguments as of `pckh`, `joints` is K."""
        for name, indices in (("head", head), ("skip", skip)):
            if any(not 0 <= index < joints for index in indices):
                raise ValueError(f"{name}: {tuple(indices)}, expected joint indices from 0 to {joints - 1}")
        self.head, self.threshold, self.skip = tuple(head), threshold, frozenset(skip)
        self.hits, self.judged = np.zeros((2, joints), np.int64)

    def update(self, pred: np.ndarray | Tensor, target: np.ndarray | Tensor) -> PckhCounts:
        """Count samples (N, K, 2), as `pckh` takes them."""
        found = np.asarray(_array(pred), np.float64)
        truth = np.asarray(_array(target), np.float64)
        if truth.ndim != 3 or truth.shape[2] != 2:
            raise ValueError(f"target: shape {truth.shape}, expected (N, K, 2)")
        if found.shape != truth.shape:
            raise ValueError(f"pred: shape {found.shape}, expected the target's {truth.shape}")
        if truth.shape[1] != len(self.hits):
            raise ValueError(f"target: {truth.shape[1]} joints, expected {len(self.hits)}")
        size = np.linalg.norm(truth[:, self.head[0]] - truth[:, self.head[1]], axis=-1)
        judged = ~np.isnan(truth).any(-1) & ~np.isnan(size)[:, None]
        with np.errstate(invalid="ignore"):
            hits = judged & (np.linalg.norm(found - truth, axis=-1) <= self.threshold * size[:, None])
        self.hits += hits.sum(0)
        self.judged += judged.sum(0)
        return self

    def merge(self, other: PckhCounts) -> None:
        """Add what another one with the same rules has counted."""
        self.hits += other.hits
        self.judged += other.judged

    def compute(self) -> dict[str, Any]:
        """What `pckh` returns, of all samples counted so far."""
        counted = [joint for joint in range(len(self.hits)) if joint not in self.skip]
        upper = [joint for joint in counted if joint in _UPPER_BODY]
        return {
            "mean": self._percent(counted),
            "joint": [self._percent([joint]) for joint in range(len(self.hits))],
            "upper_body": self._percent(upper),
        }

    def _percent(self, joints: list[int]) -> float:
        judged = self.judged[joints].sum()
        return float(100 * self.hits[joints].sum() / judged) if judged else float("nan")


def pckh(
    pred: np.ndarray | Tensor,
    target: np.ndarray | Tensor,
    head: tuple[int, int] = (8, 9),
    threshold: float = 0.5,
    skip: Sequence[int] = (6, 7),
) -> dict[str, Any]:
    """PCKh as LIP scores it: distance at most `threshold` times the distance of neck and head top, without a factor.

    Args:
        pred: (N, K, 2) x, y in pixels; a nan is a miss.
        target: (N, K, 2), nan where not annotated. A sample whose neck or head top is missing is left out.
        head: indices of the two ends of the head.
        threshold: share of the head's size.
        skip: joints that count in no mean (pelvis and thorax).

    Returns:
        Percent, nan where nothing was judged. "mean": over all judged joints of all samples together, not of the
        joints' scores; "upper_body": the same over joints 8 to 15; "joint": list of K, the skipped ones included.

    Raises:
        ValueError: a shape is wrong or an index is outside 0 ... K - 1.
    """
    truth = _array(target)
    if truth.ndim != 3:
        raise ValueError(f"target: shape {truth.shape}, expected (N, K, 2)")
    return PckhCounts(truth.shape[1], head, threshold, skip).update(pred, target).compute()


def _array(points: np.ndarray | Tensor) -> np.ndarray:
    return points.detach().cpu().numpy() if isinstance(points, Tensor) else np.asarray(points)
