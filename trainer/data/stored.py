"""Edges and heatmaps as the shards hold them, where they are those of the network's input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.errors import DataError, ParamsError
from pipeline.labels.heatmaps import DEFAULT_SIGMA_SPACE
from pipeline.params import Edges, Heatmaps
from pipeline.records import Sample
from pipeline.shards import Shards
from trainer.data.samples import ParsingSamples

_OTHERWISE = "Make them equal and run the stages again, or take train.targets: drawn"


class StoredTargets:
    """The stored edges and heatmaps of samples that lie in the input as they lie in their shards.

    Attributes:
        heatmap_shape: (K, h, w) of a sample's heatmaps.
    """

    def __init__(self, samples: ParsingSamples, size: tuple[int, int], edges: Edges, heatmaps: Heatmaps) -> None:
        """Targets for inputs of `size`, if they are what would be drawn by `edges` and `heatmaps`.

        Raises:
            ParamsError: crops or heatmaps are of another size, or labels of other parameters or sets; both are named.
            DataError: a folder holds no heatmaps, or does not tell how its labels were made.
        """
        self.samples = samples
        self.heatmap_shape = (len(samples.keypoint_set), *heatmaps.size)
        covered = (heatmaps.size[0] * heatmaps.stride, heatmaps.size[1] * heatmaps.stride)
        if covered != size:
            raise ParamsError(
                f"train.targets: stored heatmaps of {_by(heatmaps.size)} cells of {heatmaps.stride} pixels cover an input of "
                f"{_by(covered)}, train.input_size is {_by(size)}. {_OTHERWISE}"
            )
        for shards in samples.shards:
            _check_sets(shards, samples)
            _check_parameters(shards, edges, heatmaps)
            _check_sizes(shards, size)

    def edges(self, sample: Sample) -> np.ndarray:
        """(H, W) uint8 of {0, 1}.

        Raises:
            DataError: the sample has none, or they are damaged.
        """
        edges = sample.decode_edge()
        if edges is None:
            raise DataError(
                f"{sample.dataset}/{sample.split}: sample {sample.sample_id} has no stored edges. Run `hpp edges`, or take "
                "train.targets: drawn"
            )
        return edges

    def heatmaps(self, index: int) -> np.ndarray:
        """(K, h, w) float16 of sample number `index`, without MuLA's of background.

        Raises:
            DataError: they are missing or damaged.
        """
        return self.samples.heatmaps(index)[: self.heatmap_shape[0]]


def _check_sets(shards: Shards, samples: ParsingSamples) -> None:
    parts, joints = shards.manifest.parts, shards.manifest.keypoints
    same = parts is not None and parts.part_names == samples.label_set.part_names
    _refuse_other_set(shards, "label_set", shards.manifest.label_set, samples.label_set.name, same)
    same = joints is not None and joints.keypoint_names == samples.keypoint_set.keypoint_names
    _refuse_other_set(shards, "keypoint_set", shards.manifest.keypoint_set, samples.keypoint_set.name, same)


def _refuse_other_set(shards: Shards, key: str, stored: str | None, wanted: str, same: bool) -> None:
    if not same:
        raise ParamsError(
            f"train.targets: {shards.folder}: stored labels are in {key} {stored}, train.{key} is {wanted}. Train in the "
            "stored one, or take train.targets: drawn"
        )


def _check_parameters(shards: Shards, edges: Edges, heatmaps: Heatmaps) -> None:
    if "edges" not in shards.manifest.parameters:
        raise DataError(f"{shards.folder}: does not tell how its edges were made. Run `hpp shard` again")
    _, drawn = shards.heatmaps_manifest()
    for section, stored, wanted in (
        ("edges", shards.manifest.parameters["edges"], edges.model_dump(mode="json")),
        ("heatmaps", _explicit(drawn.parameters), _explicit(heatmaps.model_dump(mode="json"))),
    ):
        for name, value in wanted.items():
            if name != "compress" and stored.get(name) != value:
                raise ParamsError(
                    f"train.targets: {shards.folder}: stored {section} have {name} {stored.get(name)}, {section}.{name} is "
                    f"{value}. {_OTHERWISE}"
                )


def _explicit(heatmaps: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with the convention's own space of sigma where none is told."""
    return {**heatmaps, "sigma_space": heatmaps["sigma_space"] or DEFAULT_SIGMA_SPACE[heatmaps["convention"]]}


def _check_sizes(shards: Shards, size: tuple[int, int]) -> None:
    for row in shards.rows(["sample_id", "width", "height"]):
        if (row["height"], row["width"]) != size:
            raise ParamsError(
                f"train.targets: {shards.folder}: stored edges of sample {row['sample_id']} are of "
                f"{_by((row['height'], row['width']))}, train.input_size is {_by(size)}. Only crops of the input's size "
                "can be learnt from stored; take train.targets: drawn"
            )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
