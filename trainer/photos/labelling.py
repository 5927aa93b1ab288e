"""Bare photos to labels by machine: crops, part masks, edges, joints and heatmaps in the pipeline's own shards.

A step of its own makes the crops with part masks and joints; edges, heatmaps and samples are made of them by the pipeline's steps.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.execution import Engine, LocalPool
from pipeline.images import encode_png
from pipeline.params import Edges, Heatmaps, ShardsSection
from pipeline.records import Sample
from pipeline.rows import POSE_SCHEMA, SAMPLE_SCHEMA, sample_row
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, sha256_of
from pipeline.shards.read import read_rows
from pipeline.shards.step import Finding, ShardInput, ShardReport, Step, content_hash, run_step
from pipeline.shards.write import folder_aside, parquet_bytes, remove_leftovers, replace_folder
from pipeline.steps.cutting import Scene
from pipeline.steps.edges import edges_step
from pipeline.steps.heatmaps import heatmaps_step
from pipeline.steps.inputs import stage_inputs
from pipeline.steps.samples import samples_step
from trainer.photos.cutting import photo_record
from trainer.photos.finding import Photo
from trainer.photos.opening import Opened, open_photos
from trainer.photos.parser import Parser
from trainer.photos.people import Person, part_map, person_map

VERSION = 1
"""Raised by hand when the same photos, networks and rules would get other labels."""

LABELLED, JUDGED = SPLITS = "train", "val"
"""All labels are to learn from; the other split is empty, since nobody is to be judged by a machine's labels."""


@dataclass(frozen=True)
class LabelRules:
    """How labels are made of what the parser says.

    Attributes:
        least_confidence: joints below are stored as not annotated.
        edges, heatmaps, shards: as the pipeline's stages have them.
    """

    least_confidence: float
    edges: Edges
    heatmaps: Heatmaps
    shards: ShardsSection


@dataclass(frozen=True)
class LabelWork:
    """Labels the photos of one shard.

    Attributes:
        parser: whose labels.
        dataset: what the set is called.
        least_confidence: joints below are stored as not annotated.
    """

    parser: Parser
    dataset: str
    least_confidence: float
    row_group: int

    def __call__(self, photos: tuple[Photo, ...]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's people."""
        rows, report = [], ShardReport()
        for opened in open_photos(photos):
            if opened.image is None:
                report.rejects.append(Finding(opened.photo.name, opened.error))
                continue
            try:
                samples = list(self._labelled(opened, opened.image, report))
            except DataError as error:  # more than a GPU's memory holds
                report.rejects.append(Finding(opened.photo.name, f"{opened.photo.path}: {error}"))
                continue
            report.counts["photos"] += 1
            rows += [sample_row(sample) for sample in samples]
        report.records = len(rows)
        return parquet_bytes(rows, SAMPLE_SCHEMA, self.row_group), report

    def _labelled(self, opened: Opened, image: np.ndarray, report: ShardReport) -> Iterator[Sample]:
        """Everyone of whom the parser sees a part; the parts of others are as the crop step has them."""
        record = photo_record(opened.photo.name, opened.data, image, opened.photo.path.name, self.dataset)
        scene, people = self.parser.look(record, image, report)
        mapped = replace(
            record,
            mask=encode_png(part_map(people, image.shape[:2])),
            people_map=encode_png(person_map(people, image.shape[:2])),
        )
        made_by = {**scene.provenance, "mask": self.parser.model_id, "label": str(VERSION)}
        labelled = Scene(mapped, image, scene.people, scene.identities, made_by)
        # The people who are too small are in the report already.
        for sample, person in zip(labelled.cut_all(self.parser.rules.cut, ShardReport()), people, strict=True):
            if person.area:
                yield self._with_joints(sample, person)

    def _with_joints(self, sample: Sample, person: Person) -> Sample:
        joints = person.keypoints.astype(np.float64)
        kept = joints[:, 2] >= self.least_confidence
        points = joints[:, :2] - sample.to_source[:, 2]
        keypoints = np.where(kept[:, None], np.column_stack([points, np.full(len(joints), 2)]), 0)
        return replace(
            sample,
            keypoints=keypoints.astype(np.float32),
            keypoint_origin=tuple(self.parser.joints_by if one else "" for one in kept),
            keypoint_confidence=person.keypoints[:, 2],
        )


def label_step(parser: Parser, dataset: str, rules: LabelRules) -> Step:
    """The step that makes crops with part masks and joints."""
    parameters = {
        "dataset": dataset,
        "model": parser.model_id,
        "computed_in": parser.computed_in,
        "joints_by": parser.joints_by,
        "people_by": parser.detector.teacher_id,
        "rules": {**asdict(parser.rules), "scales": list(parser.rules.scales)},
        "least_confidence": rules.least_confidence,
        "row_group": rules.shards.row_group,
    }
    work = LabelWork(parser, dataset, rules.least_confidence, rules.shards.row_group)
    return Step("label", VERSION, parameters, "parquet", work, resident=True)


@dataclass(frozen=True)
class JointsWork:
    """Takes the joints out of one shard of labelled crops, as the pose stage has them."""

    row_group: int

    def __call__(self, inputs: tuple[Path]) -> tuple[bytes, ShardReport]:
        """The parquet bytes of the shard's joints."""
        rows = read_rows(inputs[0], POSE_SCHEMA.names)
        return parquet_bytes(rows, POSE_SCHEMA, self.row_group), ShardReport(records=len(rows))


def joints_step(row_group: int) -> Step:
    """The step that takes the joints out."""
    return Step("label_joints", VERSION, {"row_group": row_group}, "parquet", JointsWork(row_group))


def label_photos(
    parser: Parser,
    photos: Sequence[Photo],
    rules: LabelRules,
    out: Path,
    scratch: Path,
    *,
    engine: Engine,
    finish: Callable[[Path, ShardReport], None],
    progress: Callable[[int], None] = lambda more: None,
) -> ShardReport:
    """Label photos and publish the labels; what became of the photos and their people.

    Args:
        parser: whose labels.
        photos: which; those that cannot be used are told in the report's rejects.
        rules: how labels are made.
        out: the folder to publish, replaced as a whole: <split>/ with the samples, heatmaps/<split>/. Its name is the
            data set's.
        scratch: folder of finished shards.
        engine: where edges, heatmaps and samples are made; the networks run here.
        finish: told the folder and the report before it is published; what it writes there is published, too.
        progress: told how many more photos are labelled.
    """
    step = label_step(parser, out.name, rules)
    made = _Publisher(parser, out.name, scratch, engine)
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    with folder_aside(out) as aside:
        work, new = Path(aside), Path(aside) / "new"
        labels, edges, joints, samples = (work / name for name in ("labels", "edges", "joints", "samples"))
        heatmaps = new / "heatmaps"
        shards = _shards(photos, rules.shards.records_per_shard)
        sizes = iter([len(shard.inputs) for shard in shards])
        reports = made.publish(
            step, shards, labels, "crops", progress=lambda more: progress(sum(islice(sizes, more))), here=True
        )
        made.publish(_edges(rules), stage_inputs([labels], SPLITS), edges, "edges")
        made.publish(joints_step(rules.shards.row_group), stage_inputs([labels], SPLITS), joints, "pose", here=True)
        made.publish(_heatmaps(rules), stage_inputs([labels, joints], SPLITS, "heatmaps"), heatmaps, "heatmaps")
        joined = stage_inputs([labels, edges, joints, heatmaps], SPLITS)
        made.publish(_samples(rules), joined, samples, "samples", links=_heatmap_links(heatmaps))
        for split in SPLITS:
            (samples / split).rename(new / split)
            for findings in ("rejects.jsonl", "outcomes.jsonl"):
                shutil.copyfile(labels / split / findings, new / split / findings)
        finish(new, reports[LABELLED])
        replace_folder(new, out)
    return reports[LABELLED]


def _shards(photos: Sequence[Photo], per_shard: int) -> list[ShardInput]:
    """The photos cut into shards, addressed by names and bytes."""
    shards = []
    for number, start in enumerate(range(0, len(photos), per_shard)):
        chunk = tuple(photos[start : start + per_shard])
        content = content_hash([[photo.name, photo.path.name, _digest(photo.path)] for photo in chunk])
        shards.append(ShardInput(LABELLED, f"part-{number:05d}", chunk, content))
    return shards


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:  # told when the photo is opened
        return hashlib.sha256().hexdigest()


def _edges(rules: LabelRules) -> Step:
    return edges_step(rules.edges.width, rules.edges.between_people, rules.shards.row_group)


def _heatmaps(rules: LabelRules) -> Step:
    drawn = rules.heatmaps
    return heatmaps_step(drawn.size, drawn.stride, drawn.sigma, drawn.sigma_space, drawn.convention, drawn.compress)


def _samples(rules: LabelRules) -> Step:
    height, width = rules.heatmaps.size
    size = height * rules.heatmaps.stride, width * rules.heatmaps.stride
    return samples_step(size, rules.shards.row_group, rules.edges.model_dump())


def _heatmap_links(heatmaps: Path) -> Callable[[str], dict[str, dict[str, str]]]:
    """From <out>/<split> to <out>/heatmaps/<split>."""

    def links(split: str) -> dict[str, dict[str, str]]:
        return {"heatmaps": {"path": f"../heatmaps/{split}", "sha256": sha256_of(heatmaps / split / MANIFEST_NAME)}}

    return links


@dataclass(frozen=True)
class _Publisher:
    """Runs steps one after the other, each published to a folder of its own."""

    parser: Parser
    dataset: str
    scratch: Path
    engine: Engine

    def publish(
        self,
        step: Step,
        shards: Sequence[ShardInput],
        out: Path,
        kind: str,
        *,
        progress: Callable[[int], None] = lambda more: None,
        links: Callable[[str], dict[str, dict[str, str]]] = lambda split: {},
        here: bool = False,
    ) -> Mapping[str, ShardReport]:
        """The step's reports by split; `here`: in this process, which has the networks and torch loaded already."""

        def describe(split: str, entries: tuple[ShardEntry, ...]) -> Manifest:
            parts, joints = self.parser.label_set, self.parser.keypoint_set
            about: dict[str, Any] = {"part_names": parts.part_names, "colours": parts.colours}
            about |= {"keypoint_names": joints.keypoint_names, "limbs": joints.limbs}
            return Manifest(
                kind, self.dataset, split, parts.name, joints.name, dict(step.parameters), {step.name: step.version},
                entries, links(split), **about,
            )  # fmt: skip

        return run_step(
            step, shards, describe, SPLITS, out, self.scratch,
            engine=LocalPool(1) if here else self.engine, max_rejects=None, limit_key="", progress=progress,
        )  # fmt: skip
