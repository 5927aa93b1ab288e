"""Heatmaps: each crop's keypoints, letterboxed to the heatmaps' input size, drawn as Gaussians into npz shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.geometry.affine import letterbox, transform_points
from pipeline.labels.heatmaps import gaussian_heatmaps
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import npz_bytes
from pipeline.steps.inputs import joined_tables

VERSION = 2


@dataclass(frozen=True)
class HeatmapWork:
    """Draws the heatmaps of one shard."""

    size: tuple[int, int]
    stride: int
    sigma: float
    sigma_space: str | None
    convention: str
    compress: bool

    def __call__(self, inputs: tuple[Path, Path]) -> tuple[bytes, ShardReport]:
        """The npz bytes: one float16 (K, h, w) member per sample, (K + 1, h, w) for mula."""
        crops, pose = joined_tables(inputs, _COLUMNS)
        report = ShardReport(records=len(crops))
        maps = self._drawn(crops["sample_id"].to_pylist(), self._in_input(crops, pose["keypoints"]), report)
        return npz_bytes(maps, self.compress), report

    def _drawn(self, names: list[str], keypoints: np.ndarray, report: ShardReport) -> Iterator[tuple[str, np.ndarray]]:
        """Name and heatmaps of every sample."""
        for start in range(0, len(names), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            drawn = gaussian_heatmaps(
                keypoints[some], self.size, self.stride, self.sigma, self.sigma_space, self.convention, np.float16
            )
            # Their bits as whole numbers: nothing is negative, and processors do not compare float16.
            peaks = drawn[:, : keypoints.shape[1]].view(np.uint16).max(axis=(2, 3), initial=0)
            report.counts["drawn"] += int((peaks > 0).sum())
            yield from zip(names[some], drawn, strict=True)

    def _in_input(self, crops: pa.Table, stored: pa.ChunkedArray) -> np.ndarray:
        """(N, K, 3) float64 keypoints in the pixels of the heatmaps' input."""
        if not len(crops):
            return np.zeros((0, 0, 3))
        values = stored.combine_chunks().flatten().flatten().to_numpy(zero_copy_only=False)
        keypoints = values.reshape(len(crops), -1, 3).astype(np.float64)
        target = (self.size[0] * self.stride, self.size[1] * self.stride)
        sides = zip(crops["height"].to_pylist(), crops["width"].to_pylist(), strict=True)
        for points, hw in zip(keypoints, sides, strict=True):
            points[:, :2] = transform_points(letterbox(hw, target), points[:, :2])
        return keypoints


_AT_ONCE = 16
"""Samples whose heatmaps are drawn together."""

_COLUMNS = (["sample_id", "width", "height"], ["sample_id", "keypoints"])


def heatmaps_step(
    size: tuple[int, int], stride: int, sigma: float, sigma_space: str | None, convention: str, compress: bool
) -> Step:
    """The step for one data set."""
    work = HeatmapWork(size, stride, sigma, sigma_space, convention, compress)
    return Step("heatmaps", VERSION, {**asdict(work), "size": list(size)}, "npz", work)
