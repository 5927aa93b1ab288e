"""Fitting the small Mask R-CNN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from pipeline.detection.mask_rcnn_basic import ARCHITECTURE, INPUT, RcnnOptions, build_rcnn
from pipeline.detection.threads import fixed_threads
from pipeline.params import DetectorFit
from pipeline.records import ImageRecord
from pipeline.teacher_file import InputSpec, write_teacher
from trainer.teachers.detector_samples import DetectorSample, draw_detector_sample
from trainer.teachers.loop import Progress, fit_fingerprint, fit_network, pick_device, run_in_bfloat16, sample_order

_SIDE_MULTIPLE = 32


def fit_detector(
    records: Sequence[ImageRecord],
    section: DetectorFit,
    seed: int,
    out: Path,
    scratch: Path,
    progress: Progress,
    options: RcnnOptions | None = None,
    spec: InputSpec = INPUT,
) -> None:
    """Fit a Mask R-CNN on the people of these records and write it to `out`.

    Args:
        records: images with people; those without count as background.
        scratch: folder of the checkpoint that an interrupted fit goes on from.
        progress: told after every step.

    Raises:
        ValueError: there are no records.
        FloatingPointError: the loss is not finite.
    """
    if not len(records):
        raise ValueError("records: none, expected at least one image to fit the detector on")
    options = options or RcnnOptions()
    device = pick_device()
    torch.manual_seed(seed)
    network = build_rcnn(options, spec).to(device, memory_format=torch.channels_last)
    if section.precision == "bf16-mixed":
        heads = network.roi_heads
        parts = [network.backbone, network.rpn.head, heads.box_head, heads.mask_head, heads.mask_predictor]
        run_in_bfloat16(parts, device)
    side = -(-spec.size[0] * 8 // 7 // _SIDE_MULTIPLE) * _SIDE_MULTIPLE
    order = sample_order(seed, len(records))

    def _losses(step: int) -> Mapping[str, Tensor]:
        samples = []
        for position in range(step * section.batch_size, (step + 1) * section.batch_size):
            index, rng = order(position)
            samples.append(draw_detector_sample(records[index], spec, side, rng))
        images = _batch(samples, spec).to(device, memory_format=torch.channels_last)
        targets = [_target(sample, device) for sample in samples]
        features = network.backbone(images)
        listed = ImageList(images, [(side, side)] * len(samples))
        proposals, rpn_losses = network.rpn(listed, features, targets)
        _, head_losses = network.roi_heads(features, proposals, listed.image_sizes, targets)
        return {**rpn_losses, **head_losses}

    fingerprint = fit_fingerprint(records, section, seed, (ARCHITECTURE, options, spec))
    with fixed_threads(section.threads):
        fit_network(network, _losses, section, seed, scratch / "fit_detector.pt", fingerprint, progress)
    write_teacher(out, network, ARCHITECTURE, options, spec)


def _batch(samples: Sequence[DetectorSample], spec: InputSpec) -> Tensor:
    """(N, 3, S, S) float32 normalised images."""
    pixels = torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(spec.mean)[:, None, None]) / torch.tensor(spec.std)[:, None, None]


def _target(sample: DetectorSample, device: torch.device) -> dict[str, Tensor]:
    """torchvision's form: boxes x1, y1, x2, y2, labels (1 is the person) and masks."""
    return {
        "boxes": torch.from_numpy(sample.boxes).to(device),
        "labels": torch.ones(len(sample.boxes), dtype=torch.int64, device=device),
        "masks": torch.from_numpy(sample.masks).to(device),
    }
