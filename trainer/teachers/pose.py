"""Fitting a pose network on the joints of any set: a Simple Baseline, small or the authors', or a Keypoint R-CNN."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from pipeline.detection.device import best_device, compute_in
from pipeline.errors import DataError
from pipeline.params import PoseFit
from pipeline.pose import keypoint_rcnn
from pipeline.pose.architectures import POSE_ARCHITECTURES, POSE_CHOICES, PoseChoice
from pipeline.pose.simple_baseline import ARCHITECTURE
from pipeline.records import ImageRecord
from pipeline.taxonomy import KEYPOINT_SETS, KeypointSet, keypoint_set
from pipeline.teacher_file import TeacherFile, build_options, read_teacher, write_teacher
from trainer.teachers.batches import drawn_batches
from trainer.teachers.checkpoint import fit_fingerprint
from trainer.teachers.loop import Progress, fit_network
from trainer.teachers.pose_lessons import crop_lessons, rcnn_lessons
from trainer.teachers.pose_samples import people_with_joints
from trainer.teachers.rcnn import freeze_stem, memory_format_of
from trainer.teachers.source import joints_of, source_hash, source_name


def fit_pose(
    records: Sequence[ImageRecord],
    section: PoseFit,
    seed: int,
    out: Path,
    scratch: Path,
    progress: Progress,
    choice: PoseChoice | None = None,
    *,
    start: Path | None = None,
    workers: int = 0,
) -> None:
    """Fit a pose network on the people with annotated joints and write it to `out`.

    Args:
        records: images; shards are read piece by piece.
        scratch: folder of the checkpoint that an interrupted fit goes on from.
        progress: told after every step.
        choice: the network; None is that of `section.architecture` for the joints that the records have.
        start: a pose teacher of that architecture to go on from, with its options and its input; None is random weights.
        workers: processes that decode and augment beside the training.

    Raises:
        DataError: nobody has annotated joints, they are of another set than the network's, or `start` is no such
            teacher.
        FloatingPointError: the loss is not finite.
    """
    people = people_with_joints(records)
    if not len(people):
        raise DataError(
            f"{source_name(records)}: nobody in its {len(records)} images has annotated joints, expected people to fit "
            "the pose network on. Name a set with joints in pose.fit.dataset"
        )
    joints = joints_of(records, keypoint_set(choice.options.keypoint_set if choice else "coco17"))
    teacher = None
    if choice is None:
        choice = POSE_CHOICES[section.architecture]
        if start is None:
            choice = dataclasses.replace(choice, options=_for_joints(choice.options, joints, records))
    if start is not None:
        teacher = read_teacher(start, choice.architecture)
        choice = _choice_of(teacher, choice, start)
    _check_joints(records, people, joints, choice, start)
    device = best_device()
    torch.manual_seed(seed)
    network = POSE_ARCHITECTURES[choice.architecture].build(choice.options, choice.input)
    if teacher is not None:
        teacher.fill(network)
        if choice.architecture == keypoint_rcnn.ARCHITECTURE:
            freeze_stem(network)
    network = network.to(device).to(memory_format=memory_format_of(network))
    lessons = rcnn_lessons if choice.architecture == keypoint_rcnn.ARCHITECTURE else crop_lessons
    lesson = lessons(network, records, people, choice, joints, seed)
    if section.precision == "bf16-mixed":
        compute_in(lesson.in_bfloat16, device, torch.bfloat16)
    fingerprint = fit_fingerprint(
        source_hash(records), section, seed, (choice, lesson.views, teacher and teacher.teacher_id)
    )
    checkpoint = scratch / "fit_pose.pt"
    fit_network(
        network,
        lambda first: drawn_batches(lesson.draw, lesson.collate, first, section.steps, section.batch_size, workers),
        lambda batch: lesson.losses(batch, device),
        section,
        seed,
        checkpoint,
        fingerprint,
        progress,
    )
    precision: Literal["float16", "float32"] = "float16" if choice.architecture == ARCHITECTURE else "float32"
    write_teacher(out, network, choice.architecture, choice.options, choice.input, precision)
    checkpoint.unlink(missing_ok=True)


def _for_joints(options: Any, joints: KeypointSet, records: Sequence[ImageRecord]) -> Any:
    """The network's options for these joints."""
    if joints.name not in KEYPOINT_SETS:
        raise DataError(
            f"{source_name(records)}: joints of the set {joints.name!r}, expected one of {', '.join(KEYPOINT_SETS)}: a "
            "teacher's file names its joints by a built-in set. Fit on a set with such joints"
        )
    return dataclasses.replace(options, keypoint_set=joints.name)


def _choice_of(teacher: TeacherFile, choice: PoseChoice, start: Path) -> PoseChoice:
    """The network of the teacher that a fit goes on from, which is of the size that was asked for."""
    options = build_options(POSE_ARCHITECTURES[teacher.architecture].options, teacher)
    asked, found = (getattr(chosen, "depth", None) for chosen in (choice.options, options))
    if asked != found:
        raise DataError(
            f"{start}: a network of depth {found}, pose.fit.architecture asks for {asked}. Name the one that it holds"
        )
    return PoseChoice(teacher.architecture, options, teacher.input)


def _check_joints(
    records: Sequence[ImageRecord], people: np.ndarray, joints: KeypointSet, choice: PoseChoice, start: Path | None
) -> None:
    """Refuse joints that are not the network's."""
    ours = keypoint_set(choice.options.keypoint_set)
    if joints.name != ours.name:
        raise DataError(
            f"{source_name(records)}: has the joints of {joints.name}, {start or 'the network'} those of {ours.name}. "
            "Fit on a set with these joints, or set pose.fit.start to random"
        )
    first = records[int(people[0, 0])].people.keypoints
    if first is not None and first.shape[1] != len(ours):
        raise DataError(
            f"{source_name(records)}: {first.shape[1]} joints a person, expected {len(ours)} of {ours.name}. "
            "Ingest the set again with the right keypoint_set"
        )
