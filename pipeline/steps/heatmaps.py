"""Heatmaps: each crop's keypoints, letterboxed to the heatmaps' input size, drawn as Gaussians into npz shards."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.geometry.affine import letterbox, transform_points
from pipeline.labels.heatmaps import gaussian_heatmaps
from pipeline.shards.step import ShardReport, Step
from pipeline.shards.write import npz_bytes
from pipeline.steps.inputs import joined_rows

VERSION = 1


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
        maps, report = {}, ShardReport()
        for crop, pose in joined_rows(inputs, _COLUMNS):
            matrix = letterbox(
                (crop["height"], crop["width"]), (self.size[0] * self.stride, self.size[1] * self.stride)
            )
            keypoints = np.array(pose["keypoints"], np.float64).reshape(-1, 3)
            keypoints[:, :2] = transform_points(matrix, keypoints[:, :2])
            drawn = gaussian_heatmaps(keypoints, self.size, self.stride, self.sigma, self.sigma_space, self.convention)
            maps[crop["sample_id"]] = drawn.astype(np.float16)
            report.counts["drawn"] += int((drawn[: len(keypoints)].max(axis=(1, 2), initial=0) > 0).sum())
        report.records = len(maps)
        return npz_bytes(maps, self.compress), report


_COLUMNS = (["sample_id", "width", "height"], ["sample_id", "keypoints"])


def heatmaps_step(
    size: tuple[int, int], stride: int, sigma: float, sigma_space: str | None, convention: str, compress: bool
) -> Step:
    """The step for one data set."""
    work = HeatmapWork(size, stride, sigma, sigma_space, convention, compress)
    return Step("heatmaps", VERSION, {**asdict(work), "size": list(size)}, "npz", work)
