"""Fitting a Mask R-CNN, small or published, on the people of any set."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline.detection import mask_rcnn_basic
from pipeline.detection.architectures import architecture
from pipeline.detection.device import best_device, compute_in
from pipeline.errors import DataError
from pipeline.params import DetectorFit
from pipeline.records import ImageRecord
from pipeline.teacher_file import InputSpec, TeacherFile, build_options, read_teacher, write_teacher
from trainer.teachers.batches import SampleOrder, drawn_batches
from trainer.teachers.checkpoint import fit_fingerprint
from trainer.teachers.detector_samples import DetectorSample, draw_detector_sample
from trainer.teachers.loop import Progress, fit_network
from trainer.teachers.rcnn import collate_rcnn, freeze_stem, rcnn_losses
from trainer.teachers.source import read_block, read_people, source_hash, source_name
from trainer.teachers.views import PUBLISHED_VIEWS, SMALL_VIEWS, ImageViews

_CLASS_LAYERS = (
    "roi_heads.box_predictor.cls_score",
    "roi_heads.box_predictor.bbox_pred",
    "roi_heads.mask_predictor.mask_fcn_logits",
)


def fit_detector(
    records: Sequence[ImageRecord],
    section: DetectorFit,
    seed: int,
    out: Path,
    scratch: Path,
    progress: Progress,
    options: Any = None,
    spec: InputSpec | None = None,
    *,
    name: str = mask_rcnn_basic.ARCHITECTURE,
    start: Path | None = None,
    workers: int = 0,
) -> None:
    """Fit a Mask R-CNN on the people of these records and write it to `out`.

    Args:
        records: images with people; images without count as background. Shards are read piece by piece.
        scratch: folder of the checkpoint that an interrupted fit goes on from.
        progress: told after every step.
        options, spec: of the network; the architecture's own, for people only, where None.
        name: the architecture. Published ones see whole images, small ones parts.
        start: a teacher of that architecture to go on from, with its options and its input, of whose classes only the
            person is kept; None is random weights.
        workers: processes that decode and augment beside the training.

    Raises:
        DataError: there are no records, nobody in them has a mask, or `start` is no such teacher.
        FloatingPointError: the loss is not finite.
    """
    _check_people(records)
    known = architecture(name)
    small = name == mask_rcnn_basic.ARCHITECTURE
    views = SMALL_VIEWS if small else PUBLISHED_VIEWS
    teacher = None if start is None else _of_people(read_teacher(start, name))
    if teacher is not None:
        options, spec = build_options(known.options, teacher), teacher.input
    options, spec = options or known.options(), spec or known.input
    device = best_device()
    torch.manual_seed(seed)
    network = known.build(options, spec)
    if teacher is not None:
        teacher.fill(network)
        if not small:
            freeze_stem(network)
    network = network.to(device, memory_format=torch.channels_last)
    if section.precision == "bf16-mixed":
        heads = network.roi_heads
        parts = [network.backbone, network.rpn.head, heads.box_head, heads.mask_head, heads.mask_predictor]
        compute_in(parts, device, torch.bfloat16)
    draw = _Draw(records, SampleOrder(seed, len(records), read_block(records)), spec, views)
    fingerprint = fit_fingerprint(
        source_hash(records), section, seed, (name, options, spec, views, teacher and teacher.teacher_id)
    )
    checkpoint = scratch / "fit_detector.pt"
    fit_network(
        network,
        lambda first: drawn_batches(draw, collate_rcnn, first, section.steps, section.batch_size, workers),
        lambda batch: rcnn_losses(network, batch, spec, device),
        section,
        seed,
        checkpoint,
        fingerprint,
        progress,
    )
    write_teacher(out, network, name, options, spec, "float16" if small else "float32")
    checkpoint.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Draw:
    """Position in the run -> training image."""

    records: Sequence[ImageRecord]
    order: SampleOrder
    spec: InputSpec
    views: ImageViews

    def __call__(self, position: int) -> DetectorSample:
        index, rng = self.order(position)
        return draw_detector_sample(self.records[index], self.spec, self.views, rng)


def _check_people(records: Sequence[ImageRecord]) -> None:
    """Refuse records that a detector can learn nothing from."""
    if not len(records):
        raise DataError(f"{source_name(records)}: no images, expected at least one to fit the detector on")
    people = masks = 0
    for one in read_people(records):
        people += len(one)
        masks += sum(rle is not None and not crowd for rle, crowd in zip(one.rles, one.crowd, strict=True))
    if not people:
        raise DataError(
            f"{source_name(records)}: nobody in its {len(records)} images, expected people to fit the detector on. "
            "Name a set with person ids or COCO's masks in detector.fit.dataset"
        )
    if not masks:
        raise DataError(
            f"{source_name(records)}: none of its {people} people has a mask of their own, expected masks to fit the "
            "detector on. Name a set with person ids or COCO's masks in detector.fit.dataset"
        )


def _of_people(teacher: TeacherFile) -> TeacherFile:
    """The teacher with the classes background and person alone; class 1 is the person in both."""
    classes = teacher.options.get("classes", 2)
    if classes == 2:
        return teacher
    tensors: dict[str, np.ndarray] = dict(teacher.tensors)
    for layer in _CLASS_LAYERS:
        for kind in ("weight", "bias"):
            values = tensors[f"{layer}.{kind}"]
            per_class = len(values) // classes
            tensors[f"{layer}.{kind}"] = values[: 2 * per_class]
    return dataclasses.replace(teacher, options={**teacher.options, "classes": 2}, tensors=tensors)
