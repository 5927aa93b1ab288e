"""The samples of one or several data sets in one label set and one keypoint set."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np

from pipeline import taxonomy
from pipeline.errors import DataError, ParamsError
from pipeline.records import Sample
from pipeline.shards import Shards, open_shards
from pipeline.taxonomy import KeypointSet, LabelSet


class ParsingSamples:
    """Samples with their part masks and keypoints as `label_set` and `keypoint_set` have them.

    Attributes:
        label_set, keypoint_set: what masks and keypoints are given in.
        shards: the opened folders, in the order given.
        read_together: neighbouring samples that are read at once.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        label_set: LabelSet,
        keypoint_set: KeypointSet,
        label_maps: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        """Open the folders of shards; `label_maps` holds by a folder's label set what its classes are called here.

        Raises:
            DataError: a folder has no shards, no samples, or no masks' label set.
            ParamsError: the label set of a folder has classes that `label_set` lacks.
        """
        self.label_set = label_set
        self.keypoint_set = keypoint_set
        self.shards = [open_shards(folder) for folder in folders]
        self._ends = list(accumulate(len(shards) for shards in self.shards))
        self._luts = [label_table(shards, label_set, label_maps) for shards in self.shards]
        # To see that no id is beyond a set's classes costs a seventh of looking each up.
        every = np.arange(len(label_set))
        self._same = [np.array_equal(lut[: len(every)], every) for lut in self._luts]
        self._sources = [keypoint_source(shards) for shards in self.shards]
        self.read_together = max(shards.manifest.parameters.get("row_group", 1) for shards in self.shards)
        if not len(self):
            raise DataError(f"{', '.join(map(str, folders))}: no samples. Give the split some, or name a data set that has some in train.datasets")

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Sample:
        """Sample number `index`, counted through all folders; masks and keypoints as stored."""
        folder, row = self._locate(index)
        return self.shards[folder][row]

    def mask(self, index: int, sample: Sample) -> np.ndarray:
        """(H, W) uint8 ids of `label_set`; an id that the sample's own set lacks, which ingest rejects, would be 255.

        Raises:
            DataError: the sample has no mask, or a damaged one.
        """
        mask = sample.decode_mask()
        if mask is None:
            raise DataError(
                f"{sample.dataset}/{sample.split}: sample {sample.sample_id} has no part mask to learn from"
            )
        folder, _ = self._locate(index)
        if self._same[folder] and mask.max() < len(self.label_set):
            return mask
        return np.asarray(cv2.LUT(mask, self._luts[folder]))

    def keypoints(self, index: int, sample: Sample) -> np.ndarray:
        """(K, 3) float32 x, y, v of `keypoint_set` in crop pixels; v is 0 where there is none."""
        source = self._sources[self._locate(index)[0]]
        if source is None or sample.keypoints is None:
            return np.zeros((len(self.keypoint_set), 3), np.float32)
        return taxonomy.convert_keypoints(sample.keypoints, source, self.keypoint_set)

    def heatmaps(self, index: int) -> np.ndarray:
        """(K, h, w) float16 heatmaps as stored; MuLA's hold one of background more, the last.

        Raises:
            DataError: the split points at none, or they are missing or damaged.
        """
        folder, row = self._locate(index)
        return self.shards[folder].heatmaps(row)

    def _locate(self, index: int) -> tuple[int, int]:
        folder = bisect_right(self._ends, index)
        return folder, index - (self._ends[folder - 1] if folder else 0)


def split_hash(samples: ParsingSamples) -> str:
    """SHA-256 of the shards' hashes in their order: equal for equal samples, wherever they lie."""
    hashes = [shard.sha256 for shards in samples.shards for shard in shards.manifest.shards]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def label_table(shards: Shards, target: LabelSet, label_maps: Mapping[str, Mapping[str, str]]) -> np.ndarray:
    """(256,) uint8 table from the folder's label set to `target`; `label_maps` as of ParsingSamples.

    Raises:
        DataError: the folder's masks have no label set.
        ParamsError: it has classes that `target` lacks.
    """
    source = shards.manifest.parts
    if source is None:
        raise DataError(f"{shards.folder}: its samples have no part masks to learn from or to judge by")
    try:
        return taxonomy.label_lut(source, target, label_maps.get(source.name))
    except ValueError as error:
        raise ParamsError(
            f"train.label_set: {shards.folder}: {error}. Name the class and its place in train.label_maps.{source.name}"
        ) from error


def keypoint_source(shards: Shards) -> KeypointSet | None:
    """The keypoint set of a folder's joints; None where it has none.

    Raises:
        DataError: the set is unknown.
    """
    try:
        return shards.manifest.keypoints
    except ValueError as error:
        raise DataError(f"{shards.folder}: {error}. Run `hpp shard` again") from error
