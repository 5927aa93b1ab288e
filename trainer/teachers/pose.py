"""Fitting the small Simple Baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.detection.threads import fixed_threads
from pipeline.params import PoseFit
from pipeline.pose.simple_baseline import ARCHITECTURE, INPUT, PoseOptions, SimpleBaseline, input_tensor
from pipeline.records import ImageRecord
from pipeline.taxonomy import keypoint_set
from pipeline.teacher_file import InputSpec, read_teacher, write_teacher
from trainer.teachers.loop import Progress, fit_fingerprint, fit_network, pick_device, run_in_bfloat16, sample_order
from trainer.teachers.pose_samples import draw_pose_sample, people_with_joints


def fit_pose(
    records: Sequence[ImageRecord],
    section: PoseFit,
    seed: int,
    out: Path,
    scratch: Path,
    progress: Progress,
    options: PoseOptions | None = None,
    spec: InputSpec = INPUT,
    start: Path | None = None,
) -> None:
    """Fit a Simple Baseline on the people with annotated joints and write it to `out`.

    Args:
        records: images whose people have the joints of `options.keypoint_set`.
        scratch: folder of the checkpoint that an interrupted fit goes on from.
        progress: told after every step.
        start: a pose teacher of the same options whose weights the fit starts from, instead of random ones.

    Raises:
        DataError: `start` is no such file.
        ValueError: nobody has annotated joints, or they are of another number.
        FloatingPointError: the loss is not finite.
    """
    options = options or PoseOptions()
    keypoints = keypoint_set(options.keypoint_set)
    people = people_with_joints(records)
    if not people:
        raise ValueError("records: nobody in them has annotated joints to fit the pose network on")
    first = records[people[0][0]].people.keypoints
    if first is not None and first.shape[1] != len(keypoints):
        raise ValueError(f"records: {first.shape[1]} joints a person, expected {len(keypoints)} of {keypoints.name}")
    device = pick_device()
    torch.manual_seed(seed)
    network = SimpleBaseline(options)
    teacher = None if start is None else read_teacher(start, ARCHITECTURE)
    if teacher is not None:
        teacher.fill(network)
    network = network.to(device).to(memory_format=torch.channels_last)
    if section.precision == "bf16-mixed":
        run_in_bfloat16([network.trunk, network.upsample], device)
    order = sample_order(seed, len(people))

    def _losses(step: int) -> Mapping[str, Tensor]:
        samples = []
        for position in range(step * section.batch_size, (step + 1) * section.batch_size):
            index, rng = order(position)
            record, row = people[index]
            samples.append(draw_pose_sample(records[record], row, spec.size, options.stride, keypoints, rng))
        images = input_tensor(np.stack([sample.image for sample in samples]), spec)
        maps = network(images.to(device, memory_format=torch.channels_last))
        targets = torch.from_numpy(np.stack([sample.heatmaps for sample in samples])).to(device)
        weights = torch.from_numpy(np.stack([sample.weights for sample in samples])).to(device)
        return {"heatmaps": heatmap_loss(maps, targets, weights)}

    fingerprint = fit_fingerprint(records, section, seed, (ARCHITECTURE, options, spec, teacher and teacher.teacher_id))
    with fixed_threads(section.threads):
        fit_network(network, _losses, section, seed, scratch / "fit_pose.pt", fingerprint, progress)
    write_teacher(out, network, ARCHITECTURE, options, spec)


def heatmap_loss(maps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Squared error summed over the cells, averaged over the joints that count.

    Args:
        maps, targets: (N, K, h, w).
        weights: (N, K), 1 for the joints that count.
    """
    errors = ((maps - targets) ** 2).sum(dim=(2, 3))
    return (errors * weights).sum() / weights.sum().clamp(min=1)
