"""How fast does CorrPM predict and learn in the forms this project gives it, beside the plain form of the same network?

    python benchmarks/network.py [--shards data/shards/lip/train] [--fit-steps 60]

ResNet-101, 384 x 384 pixels, LIP's 20 classes and 16 joints, on all cores. The plain form is the network as it is trained, in
float32, channels first. It is first fitted for some steps on shards of the sample set, at half the size, so that labels mean
something. Forward passes of one image: the prepared network (norms folded, linear layers merged, channels last) with all heads and
with the parsing alone, each against the plain one, on all cores, in turns in this process; labels are compared on images that were not fitted
on. So is the prepared network in 8 bits, which `hpp predict --int8` takes. bfloat16, for prediction and for a training step, is measured
where the processor computes in it; where there is a GPU, so is a training step of 8 images in bfloat16, channels last and compiled,
against plain float32. Writes benchmarks/results/network.json; about eight minutes on two cores.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Line, side_by_side, write
from torch import nn

from pipeline.params import Heatmaps, Loss
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from trainer.data.augment import place, warp_image, warp_keypoints, warp_mask
from trainer.data.batch import Batch
from trainer.data.samples import ParsingSamples
from trainer.data.targets import make_targets
from trainer.input_spec import input_spec
from trainer.losses import Targets, training_loss
from trainer.models import ParsingNetwork, build_model, for_prediction
from trainer.models.int8 import computes_in_int8
from trainer.models.prediction_path import fastest_dtype

SIDE, FIT_SIDE, BATCH, GPU_BATCH, JUDGED = 384, 192, 4, 8, 8
LABELS, JOINTS = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]
HEATMAPS = Heatmaps(size=(SIDE // 4, SIDE // 4), stride=4, sigma=7.0, convention="corrpm")
SPEC = input_spec("official", (SIDE, SIDE))


def batch_of(samples: ParsingSamples, indices: list[int], side: int) -> Batch:
    """Samples letterboxed into squares, tensors on the CPU."""
    images, masks, keypoints, placements = [], [], [], []
    for index in indices:
        sample = samples[index]
        image = sample.decode_image()
        placement = place(image.shape[:2], (side, side))
        images.append(warp_image(image, placement, SPEC.fill))
        masks.append(warp_mask(samples.mask(index, sample), placement, LABELS))
        keypoints.append(samples.keypoints(index, sample))
        placements.append(placement)
    moved = warp_keypoints(np.stack(keypoints), placements, JOINTS, (side, side))
    return Batch(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)), torch.from_numpy(moved))


def fitted(samples: ParsingSamples, steps: int) -> ParsingNetwork:
    """CorrPM after some steps on all samples but the last JUDGED, in evaluation mode."""
    torch.manual_seed(0)
    network = build_model("corrpm", len(LABELS), len(JOINTS))
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-4)
    order = np.random.default_rng(0).permutation(len(samples) - JUDGED)
    for step in range(steps):
        chosen = [int(order[(step * BATCH + place) % len(order)]) for place in range(BATCH)]
        loss = learn(network, batch_of(samples, chosen, FIT_SIDE))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 9:
            print(f"fit: step {step + 1} of {steps}, loss {loss:.3f}", flush=True)
    return network.eval()


def learn(network: nn.Module, batch: Batch, dtype: torch.dtype = torch.float32) -> float:
    """Forward and backward pass of a batch; the loss."""
    network.train()
    targets: Targets = make_targets(batch, 3, HEATMAPS)
    with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        prediction = network(SPEC.normalize(batch.images))
    loss, _ = training_loss(prediction, targets, Loss(), align_corners=True)
    loss.backward()
    return float(loss.detach())


def channels_first(network: nn.Module) -> nn.Module:
    """A copy whose weights lie as PyTorch makes them."""
    return copy.deepcopy(network).to(memory_format=torch.contiguous_format)


@torch.no_grad()
def prediction_lines(network: ParsingNetwork, images: torch.Tensor, rounds: int) -> tuple[list[Line], dict[str, float]]:
    """Forward passes of one image on the CPU, and how many labels stay."""
    first, last = images.contiguous(), images.contiguous(memory_format=torch.channels_last)
    plain = channels_first(network)
    forms: dict[str, Callable[[torch.Tensor], Any]] = {
        "prepared, all heads": for_prediction(network),
        "prepared, parsing alone": for_prediction(network, parsing_only=True),
    }
    half = fastest_dtype() == torch.bfloat16
    whole = list(forms)
    if half:
        forms["prepared, parsing alone, bf16"] = for_prediction(network, parsing_only=True, dtype=torch.bfloat16)
    if computes_in_int8():
        forms["prepared, parsing alone, 8 bits"] = for_prediction(network, parsing_only=True, dtype=torch.int8)
    # One image after the other: what a step costs does not depend on what is in it.
    calls = {name: partial(form, last[:1]) for name, form in forms.items()}
    seconds = side_by_side({"plain": lambda: plain(first[:1]), **calls}, rounds)
    lines = [
        Line(
            f"CorrPM 384 x 384, {name}: as fast as the plain form",
            seconds["plain"] / seconds[name],
            target=None if name in whole else 2,
            note="float32" if name in whole else "",
        )
        for name in forms
    ]
    for name, form in forms.items():
        agreed = [
            (
                form(last[place : place + 1]).parsing[-1].argmax(1)
                == plain(first[place : place + 1]).parsing[-1].argmax(1)
            )
            .float()
            .mean()
            for place in range(len(images))
        ]
        lines.append(
            Line(f"{name}: labels as the plain form's", 100 * float(torch.stack(agreed).mean()), "%", target=98)
        )
    classes = len(
        torch.cat([plain(first[place : place + 1]).parsing[-1].argmax(1) for place in range(len(images))]).unique()
    )
    return lines, {
        **{f"forward, {name}, ms": 1e3 * value for name, value in seconds.items()},
        "classes predicted": classes,
    }


def training_lines(
    network: nn.Module, batch: Batch, rounds: int, target: float | None
) -> tuple[list[Line], dict[str, float]]:
    """A training step where the batch lies: bfloat16 and channels last, on a GPU compiled, against plain float32."""
    device = batch.images.device
    plain = channels_first(network).to(device)
    ours: Any = copy.deepcopy(network).to(device, memory_format=torch.channels_last)
    if device.type == "cuda":
        ours = torch.compile(ours)
    forms = {"plain": (plain, torch.float32), "bf16": (ours, torch.bfloat16)}
    memory: dict[str, float] = {}
    peak = "training step on the GPU, {}, peak MB"

    def step(name: str) -> None:
        learn(forms[name][0], batch, forms[name][1])
        forms[name][0].zero_grad(set_to_none=True)
        if device.type == "cuda":
            torch.cuda.synchronize()

    for name in forms:
        step(name)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
            step(name)
            memory[peak.format(name)] = torch.cuda.max_memory_allocated() / 1e6
    seconds = side_by_side({name: partial(step, name) for name in forms}, rounds)
    where = torch.cuda.get_device_name() if device.type == "cuda" else "the CPU"
    lines = [
        Line(
            f"CorrPM training step in bf16 on {where}: as fast as plain fp32",
            seconds["plain"] / seconds["bf16"],
            target=target,
        )
    ]
    if memory:
        lines.append(Line("its memory", memory[peak.format("bf16")] / memory[peak.format("plain")], "of plain fp32's"))
    rates = {f"training, {name}, samples per s": len(batch.images) / value for name, value in seconds.items()}
    return lines, {**rates, **memory}


def devices(samples: ParsingSamples) -> Iterator[tuple[Batch, float | None]]:
    """Batches where a training step is to be measured, with their targets."""
    if fastest_dtype() == torch.bfloat16:
        yield batch_of(samples, [0], SIDE), 1.7
    if torch.cuda.is_available():
        yield batch_of(samples, list(range(GPU_BATCH)), SIDE).map(lambda array: array.cuda()), None


def main() -> None:
    """Fit, measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shards", type=Path, default=Path("data/shards/lip/train"), help="of `make repro`")
    options.add_argument("--fit-steps", type=int, default=60, help="of 4 images each")
    options.add_argument("--rounds", type=int, default=10, help="turns of each form")
    chosen = options.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    samples = ParsingSamples([chosen.shards], LABELS, JOINTS)
    network = fitted(samples, chosen.fit_steps)
    judged = batch_of(samples, list(range(len(samples) - JUDGED, len(samples))), SIDE)
    lines, details = prediction_lines(network, SPEC.normalize(judged.images), chosen.rounds)
    for batch, target in devices(samples):
        more, told = training_lines(network, batch, chosen.rounds, target)
        lines, details = lines + more, details | told
    absent = {
        "bfloat16 on the CPU": "measured"
        if fastest_dtype() == torch.bfloat16
        else "not measured: this processor has none",
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "not measured: none at hand",
    }
    write("network", lines, {**details, **absent, "threads": torch.get_num_threads(), "fit steps": chosen.fit_steps})


if __name__ == "__main__":
    main()
