"""Crop: every person of an image cut out at native resolution, with the labels that belong to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.detection.annotated import annotated_people
from pipeline.detection.selection import select_people
from pipeline.geometry.affine import translation
from pipeline.records import ImageRecord, People, Sample
from pipeline.rows import SAMPLE_SCHEMA, image_from_row, sample_row
from pipeline.shards.raw_outputs import memory_remarks
from pipeline.shards.read import iter_rows
from pipeline.shards.step import Finding, ShardReport, Step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.cutting import CutRules, Scene
from pipeline.steps.detecting import VERSION as RAW_VERSION
from pipeline.steps.detecting import RawPeople
from pipeline.steps.judging import Identity, judge_found, tell_unseen

VERSION = 4
MOST_IDS = 254
"""People that a map of ids tells apart, beside 0 and 255."""


@dataclass(frozen=True)
class Selection:
    """Which detections count as people: the limits of `select_people`."""

    score: float
    mask_nms: float


@dataclass(frozen=True)
class SingleWork:
    """Single-person sets: each image is its crop, bytes and labels as they are."""

    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's crops."""
        rows, report = [], ShardReport()
        for row in iter_rows(inputs[0]):
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
class AnnotatedWork:
    """Multi-person sets cut by their own person ids, or masks."""

    rules: CutRules
    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's crops."""
        return _cut_out(self._scenes(inputs[0]), self.rules, self.row_group)

    def _scenes(self, path: Path) -> Iterator[tuple[Scene, ShardReport]]:
        for row in iter_rows(path):
            record, report = image_from_row(row), ShardReport()
            people = annotated_people(record)
            tell_unseen(record, people, report)
            identities = [Identity(int(person), int(person)) for person in people.ids]
            yield Scene(record, record.decode_image(), people, identities, _provenance(record, "annotated")), report


@dataclass(frozen=True)
class FoundWork:
    """Multi-person sets: people are found, matched with the annotated ones where there are any, and cut out."""

    rules: CutRules
    selection: Selection
    raw_people: RawPeople
    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's crops."""
        before = self.raw_people.halvings
        data, report = _cut_out(self._scenes(inputs[0]), self.rules, self.row_group)
        report.remarks += memory_remarks(self.raw_people.halvings - before)
        return data, report

    def _scenes(self, path: Path) -> Iterator[tuple[Scene, ShardReport]]:
        for record, image, raw in self.raw_people.of(map(image_from_row, iter_rows(path))):
            report = ShardReport()
            people = surest(select_people(raw, self.selection.score, self.selection.mask_nms), record, report)
            provenance = _provenance(record, self.raw_people.teacher_id)
            yield Scene(record, image, people, judge_found(record, people, report), provenance), report


def surest(people: People, record: ImageRecord, report: ShardReport) -> People:
    """The first people by score, as many as a map of ids holds; the others are counted and listed."""
    if len(people) <= MOST_IDS:
        return people
    left_out = len(people) - MOST_IDS
    report.counts["beyond_ids"] += left_out
    reason = f"{left_out} of {len(people)} detections left out, the least sure ones: a map of ids holds {MOST_IDS}"
    report.outcomes.append(Finding(record.sample_id, reason))
    rows = slice(MOST_IDS)
    return People.build(people.ids[rows], people.boxes[rows], scores=people.scores[rows], rles=people.rles[rows])


def _cut_out(scenes: Iterator[tuple[Scene, ShardReport]], rules: CutRules, row_group: int) -> tuple[bytes, ShardReport]:
    """The crops of a shard's images, and what became of everybody."""
    rows: list[dict[str, Any]] = []
    report = ShardReport()
    for scene, judged in scenes:
        report.add(judged)
        report.counts["images"] += 1
        if not scene.figures:
            report.outcomes.append(Finding(scene.record.sample_id, "nobody was found"))
        rows += [sample_row(sample) for sample in scene.cut_all(rules, report)]
    report.records = len(rows)
    return parquet_bytes(rows, SAMPLE_SCHEMA, row_group), report


def _provenance(record: ImageRecord, finder: str) -> dict[str, str]:
    return {"image_sha256": hashlib.sha256(record.image).hexdigest(), "people": finder, "crop": str(VERSION)}


def single_step(row_group: int) -> Step:
    """The step for a data set of `people: single`."""
    return Step("crop", VERSION, {"people": "single", "row_group": row_group}, "parquet", SingleWork(row_group))


def annotated_step(rules: CutRules, row_group: int) -> Step:
    """The step for a data set of `people: many` that is cut by its own annotation."""
    parameters = {"people": "many", "rules": asdict(rules), "detector": None, "row_group": row_group}
    return Step("crop", VERSION, parameters, "parquet", AnnotatedWork(rules, row_group))


def found_step(rules: CutRules, selection: Selection, raw_people: RawPeople, row_group: int) -> Step:
    """The step for a data set of `people: many` whose people a detector finds."""
    parameters = {
        "people": "many",
        "rules": asdict(rules),
        "selection": asdict(selection),
        "detector": raw_people.teacher_id,
        "raw_people": RAW_VERSION,
        "row_group": row_group,
    }
    work = FoundWork(rules, selection, raw_people, row_group)
    return Step("crop", VERSION, parameters, "parquet", work, resident=True)
