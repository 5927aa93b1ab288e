"""Crop: every person of an image cut out at native resolution, with the labels that belong to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detection.annotated import annotated_people
from pipeline.detection.base import PersonDetector
from pipeline.detection.selection import select_people
from pipeline.geometry.affine import translation
from pipeline.geometry.crop import window_of_box
from pipeline.images import encode_jpeg, encode_png
from pipeline.records import ImageRecord, People, Sample
from pipeline.rows import SAMPLE_SCHEMA, image_from_row, sample_row
from pipeline.shards.read import read_rows
from pipeline.shards.step import Finding, ShardReport, Step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.judging import judge_found, tell_unseen
from pipeline.taxonomy import IGNORE

VERSION = 2


@dataclass(frozen=True)
class CropRules:
    """How a person is cut out.

    Attributes:
        others: what becomes of other people's pixels: "black" paints them over, "keep" leaves them.
        others_label: their label: background where they are painted over, 255 where they are kept.
        min_area: people of fewer visible pixels are left out.
        expand: share of the box's sides that is added around it.
        score, mask_nms: which detections count as people.
    """

    others: str
    others_label: int
    min_area: int
    expand: float
    score: float
    mask_nms: float


@dataclass(frozen=True)
class SingleWork:
    """Single-person sets: each image is its crop, bytes and labels as they are."""

    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's crops."""
        rows, report = [], ShardReport()
        for row in read_rows(inputs[0]):
            record = image_from_row(row)
            keypoints = record.people.keypoints
            told = int((~record.people.crowd).sum())
            if told > 1:
                reason = f"{told} annotated people in a set of people: single; the joints are the first one's"
                report.outcomes.append(Finding(record.sample_id, reason))
            sample = Sample(
                sample_id=record.sample_id,
                source_id=record.sample_id,
                dataset=record.dataset,
                split=record.split,
                image=record.image,
                path=record.path,
                width=record.width,
                height=record.height,
                mask=record.mask,
                people_map=record.people_map,
                keypoints=None if keypoints is None or not len(keypoints) else keypoints[0],
                box=np.array([0, 0, record.width, record.height], np.float32),
                score=1.0,
                to_source=translation(0, 0),
                person=1,
                provenance=_provenance(record, "whole image"),
            )
            rows.append(sample_row(sample))
            report.counts["images"] += 1
            report.counts["people"] += 1
        report.records = len(rows)
        return parquet_bytes(rows, SAMPLE_SCHEMA, self.row_group), report


@dataclass(frozen=True)
class CropWork:
    """Multi-person sets: people are found, matched with the annotated ones where there are any, and cut out.

    Attributes:
        detector: who finds them; None takes the annotated people.
    """

    rules: CropRules
    detector: PersonDetector | None
    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's crops."""
        rows: list[dict[str, Any]] = []
        report = ShardReport()
        for row in read_rows(inputs[0]):
            record = image_from_row(row)
            rows += [sample_row(sample) for sample in self._people(record, report)]
            report.counts["images"] += 1
        report.records = len(rows)
        return parquet_bytes(rows, SAMPLE_SCHEMA, self.row_group), report

    def _people(self, record: ImageRecord, report: ShardReport) -> Iterator[Sample]:
        image = record.decode_image()
        if self.detector is None:
            people = annotated_people(record)
            truths: list[int | None] = [int(person) for person in people.ids]
            tell_unseen(record, people, report)
        else:
            people = select_people(self.detector.detect(image), self.rules.score, self.rules.mask_nms)
            truths = judge_found(record, people, report)
        if len(people) == 0:
            report.outcomes.append(Finding(record.sample_id, "nobody was found"))
        masks = [people.mask(index) for index in range(len(people))]
        for index, (mask, truth) in enumerate(zip(masks, truths, strict=True)):
            name = f"{record.sample_id}_{int(people.ids[index])}"
            area = int(mask.sum())
            if truth is None:
                report.outcomes.append(Finding(name, "a detection without an annotated person"))
            elif area < max(1, self.rules.min_area):
                report.outcomes.append(Finding(name, f"{area} pixels, crop.min_area is {self.rules.min_area}"))
            else:
                yield self._cut(record, image, people, masks, index, truth)

    def _cut(
        self,
        record: ImageRecord,
        image: np.ndarray,
        people: People,
        masks: list[np.ndarray],
        index: int,
        truth: int,
    ) -> Sample:
        """One person's crop: other people painted over or kept, their labels by `others_label`."""
        window = window_of_box(people.boxes[index], (record.height, record.width), self.rules.expand)
        others = np.zeros((window.y1 - window.y0, window.x1 - window.x0), bool)
        for place, mask in enumerate(masks):
            if place != index:
                others |= window.cut(mask)
        others &= ~window.cut(masks[index])
        crop = window.cut(image)
        if self.rules.others == "black":
            crop[others] = 0
        labels, ids = self._labels(record, window.cut, others, truth)
        if ids is None and self.detector is not None:
            ids = _found_ids([window.cut(mask) for mask in masks], people.ids, index)
            if self.rules.others == "black":
                ids[others] = 0
        keypoints = _own_keypoints(record, truth)
        if keypoints is not None:
            keypoints[:, :2] -= np.where(keypoints[:, 2:] > 0, [window.x0, window.y0], 0).astype(np.float32)
        return Sample(
            sample_id=f"{record.sample_id}_{int(people.ids[index])}",
            source_id=record.sample_id,
            dataset=record.dataset,
            split=record.split,
            image=encode_jpeg(crop),
            path=record.path,
            width=crop.shape[1],
            height=crop.shape[0],
            mask=None if labels is None else encode_png(labels),
            people_map=None if ids is None else encode_png(ids),
            keypoints=keypoints,
            box=people.boxes[index],
            score=float(people.scores[index]),
            to_source=window.to_source,
            person=int(people.ids[index]),
            provenance=_provenance(record, "annotated" if self.detector is None else self.detector.teacher_id),
        )

    def _labels(
        self, record: ImageRecord, cut: Any, others: np.ndarray, truth: int
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The crop's part mask and person-id map.

        Other people get `others_label`, and no id where they are painted over. Labels of annotated people who stay in the picture, because the detector
        missed them or saw less of them, are nobody's to learn: 255.
        """
        mask, people_map = record.decode_mask(), record.decode_people()
        labels = None if mask is None else cut(mask)
        ids = None if people_map is None else cut(people_map)
        if labels is not None:
            if ids is not None:
                labels[(ids != 0) & (ids != truth)] = IGNORE
            labels[others] = self.rules.others_label
        if ids is not None and self.rules.others == "black":
            ids[others] = 0
        return labels, ids


def _found_ids(masks: list[np.ndarray], ids: np.ndarray, index: int) -> np.ndarray:
    """(H, W) uint8 ids of the people found; where they overlap the smaller one, and before all person `index`, is on top."""
    drawn = np.zeros(masks[index].shape, np.uint8)
    for place in sorted(range(len(masks)), key=lambda one: (one == index, -int(masks[one].sum()))):
        drawn[masks[place]] = ids[place]
    return drawn


def _own_keypoints(record: ImageRecord, person: int) -> np.ndarray | None:
    """(K, 3) float32 annotated keypoints of a person, in image pixels."""
    if record.people.keypoints is None:
        return None
    place = np.flatnonzero(record.people.ids == person)
    return record.people.keypoints[place[0]].copy() if len(place) else None


def _provenance(record: ImageRecord, finder: str) -> dict[str, str]:
    return {"image_sha256": hashlib.sha256(record.image).hexdigest(), "people": finder, "crop": str(VERSION)}


def crop_step(people: str, rules: CropRules, detector: PersonDetector | None, row_group: int) -> Step:
    """The step for one data set; `people` is "single" or "many"."""
    if people == "single":
        return Step("crop", VERSION, {"people": people, "row_group": row_group}, "parquet", SingleWork(row_group))
    parameters = {
        "people": people,
        "rules": rules.__dict__,
        "detector": None if detector is None else detector.teacher_id,
        "row_group": row_group,
    }
    work = CropWork(rules, detector, row_group)
    return Step("crop", VERSION, parameters, "parquet", work, parallel=detector is None)
