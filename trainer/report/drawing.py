"""A sample of the gallery: its tiles, and the record that the page's script shows it by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.overlay import LEFT, MIDDLE, RIGHT
from pipeline.records import Sample
from pipeline.shards.manifest import Manifest
from pipeline.shards.read import Shards
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet
from trainer.report.choice import Chosen
from trainer.report.layers import (
    Placement,
    edge_palette,
    edge_tile,
    heat_palette,
    heatmap_tile,
    image_tile,
    joint_points,
    mask_palette,
    mask_tile,
    place,
)
from trainer.report.predictions import Predictions
from trainer.report.quality import Facts, flags
from trainer.report.sheets import Tiles


class Drawing:
    """Draws chosen samples, and remembers which label sets and skeletons they use."""

    def __init__(self, shards: Mapping[tuple[str, str], Shards], predictions: Predictions, predicted: LabelSet) -> None:
        self._shards = shards
        self._predictions = predictions
        self._predicted = predicted
        self._skeletons = {place: opened.manifest.keypoints for place, opened in shards.items()}
        self._worst = {one.index for one in predictions.worst_first()[: -(-len(predictions) // 10)]}
        self._rules = {
            place: Manifest.read(opened.folder / opened.manifest.links["heatmaps"]["path"]).parameters
            for place, opened in shards.items()
            if "heatmaps" in opened.manifest.links
        }

    def palettes(self, one: Chosen) -> dict[str, np.ndarray]:
        """Layer -> palette, for all samples of a data set."""
        parts = self._shards[one.dataset, one.split].manifest.parts
        own = {"mask": mask_palette(parts)} if parts is not None else {}
        return {
            **own,
            "prediction": mask_palette(self._predicted),
            "edges": edge_palette(),
            "heatmaps": heat_palette(),
        }

    def legends(self) -> dict[str, Any]:
        """The label sets' names and colours, the joints' names, limbs and sides, and which data set uses which."""
        manifests = {dataset: shards.manifest for (dataset, _), shards in self._shards.items()}
        labels = {one.parts.name: one.parts for one in manifests.values() if one.parts is not None}
        skeletons = {one.keypoints.name: one.keypoints for one in manifests.values() if one.keypoints is not None}
        labels[self._predicted.name] = self._predicted
        return {
            "labels": {name: _told_labels(one) for name, one in labels.items()},
            "skeletons": {name: _told_skeleton(one) for name, one in skeletons.items()},
            "sets": {
                dataset: {
                    "labels": one.parts.name if one.parts is not None else None,
                    "skeleton": one.keypoints.name if one.keypoints is not None else None,
                }
                for dataset, one in manifests.items()
            },
            "predicted": self._predicted.name,
            "sides": {"left": _hex(LEFT), "right": _hex(RIGHT), "middle": _hex(MIDDLE)},
        }

    def draw(self, one: Chosen) -> tuple[Tiles, dict[str, Any]]:
        """A sample's tiles, and its record for the page."""
        shards = self._shards[one.dataset, one.split]
        sample: Sample = shards[one.index]
        image, mask, edge = sample.decode_image(), sample.decode_mask(), sample.decode_edge()
        answer = self._prediction(one, sample)
        placement = place(*image.shape[:2])
        rules = self._rules.get((one.dataset, one.split))
        tiles = Tiles(
            image=image_tile(image, placement),
            mask=None if mask is None else mask_tile(mask, placement),
            prediction=None if answer is None else mask_tile(answer, placement),
            edges=None if edge is None else edge_tile(edge, placement),
            heatmaps=heatmap_tile(shards.heatmaps(one.index), sample.to_heatmap_input, rules, placement)
            if rules is not None and sample.to_heatmap_input is not None
            else None,
        )
        record = {
            "id": sample.sample_id,
            "set": one.dataset,
            "split": one.split,
            "size": [sample.width, sample.height],
            "window": [placement.left, placement.top, placement.width, placement.height],
            "parts": None if mask is None else _present(mask),
            "layers": [
                layer for layer in ("mask", "prediction", "edges", "heatmaps") if getattr(tiles, layer) is not None
            ],
            "score": round(float(sample.score), 3),
            **_told_joints(sample, self._skeletons[one.dataset, one.split], placement),
        }
        if answer is not None:
            record["predicted"] = _present(answer)
        if sample.source_id != sample.sample_id:
            record["source"] = sample.source_id
        if one.judged is not None and one.judged.mean_iou == one.judged.mean_iou:
            record["iou"] = round(one.judged.mean_iou, 2)
            record["accuracy"] = round(one.judged.pixel_accuracy, 2)
        record["flags"] = flags(self._facts(one, sample, mask, record))
        return tiles, record

    def _prediction(self, one: Chosen, sample: Sample) -> np.ndarray | None:
        if one.judged is None:
            return None
        self._predictions.require(one.judged, sample)
        return self._predictions.mask(one.judged.index)

    def _facts(self, one: Chosen, sample: Sample, mask: np.ndarray | None, record: dict[str, Any]) -> Facts:
        joints = record.get("found")
        return Facts(
            worst_tenth=one.judged is not None and one.judged.index in self._worst,
            joints=None if joints is None else sum(joints.values()),
            joints_of=0 if sample.keypoints is None else len(sample.keypoints),
            confidence=record.get("confidence"),
            score=float(sample.score),
            parts=None if record["parts"] is None else len(record["parts"]),
            ignored=0.0 if mask is None else float((mask == IGNORE).mean()),
        )


def _present(mask: np.ndarray) -> list[int]:
    """The part ids in a mask."""
    return [value for value in np.unique(mask).tolist() if value not in (0, IGNORE)]


def _told_joints(sample: Sample, skeleton: KeypointSet | None, placement: Placement) -> dict[str, Any]:
    """Where its joints lie, how many it has from whom, and how sure the teacher is of its own."""
    if sample.keypoints is None or skeleton is None:
        return {}
    present = sample.keypoints[:, 2] > 0
    origins = np.array(sample.keypoint_origin or ("annotated",) * len(present))
    pseudo = present & (origins != "annotated") & (origins != "")
    told: dict[str, Any] = {
        "joints": joint_points(sample.keypoints, placement),
        "found": dict(Counter("pseudo" if is_pseudo else "annotated" for is_pseudo in pseudo[present])),
    }
    if pseudo.any() and sample.keypoint_confidence is not None:
        told["confidence"] = round(float(sample.keypoint_confidence[pseudo].mean()), 3)
    return told


def _told_labels(labels: LabelSet) -> dict[str, Sequence[str]]:
    return {"names": labels.part_names, "colours": [_hex(labels.palette[place]) for place in range(len(labels))]}


def _told_skeleton(skeleton: KeypointSet) -> dict[str, Any]:
    names = skeleton.keypoint_names
    return {
        "names": names,
        "sides": [_side(name) for name in names],
        "limbs": [[a, b, _side(names[a], names[b])] for a, b in skeleton.limb_indices],
    }


def _side(*names: str) -> str:
    """The person's own side of a joint or a limb; middle where its ends have none or two."""
    sides = {name.partition("-")[0] for name in names} & {"left", "right"}
    return sides.pop() if len(sides) == 1 else "middle"


def _hex(colour: Sequence[int] | np.ndarray) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(int(value) for value in colour))
