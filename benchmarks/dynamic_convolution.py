"""What do MuLA's predicted kernels cost as one grouped convolution, beside a loop over the samples?

    python benchmarks/dynamic_convolution.py [--rounds 10]

Eight images, at the two sizes that MuLA has at inputs of 256 x 256: hourglass, 256 channels of 64 x 64 with kernels of 7 x 7, and
VGG16, 512 channels of 32 x 32 with kernels of 3 x 3. Outputs and gradients must be equal. Forward, and forward and backward, in
turns in this process; on a GPU, too, where there is one. Writes benchmarks/results/dynamic_convolution.json; a minute.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial

import torch
from measuring import Line, side_by_side, write
from torch import Tensor
from torch.nn import functional

from trainer.models.adaptation import dynamic_depthwise

BATCH = 8
SIZES = {"hourglass": (256, 64, 7), "VGG16": (512, 32, 3)}
"""Encoder -> channels, side of the maps, side of the kernels."""


def loop(features: Tensor, kernels: Tensor) -> Tensor:
    """A convolution per sample, the results stacked."""
    channels, side = kernels.shape[1], kernels.shape[2]
    convolved = [
        functional.conv2d(own[None], kernel[:, None], padding=side // 2, groups=channels)
        for own, kernel in zip(features, kernels, strict=True)
    ]
    return torch.cat(convolved)


FORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"grouped": dynamic_depthwise, "loop": loop}


def call(form: str, inputs: list[Tensor], backward: bool) -> Tensor:
    """The output in one of the forms."""
    with torch.set_grad_enabled(backward):
        output = FORMS[form](*inputs)
    if backward:
        output.square().mean().backward()
    if output.is_cuda:
        torch.cuda.synchronize()
    return output.detach()


def measure(encoder: str, device: str, rounds: int) -> tuple[list[Line], dict[str, float]]:
    """Lines and figures of one size on one device."""
    channels, side, kernel = SIZES[encoder]
    torch.manual_seed(0)
    inputs = [torch.randn(BATCH, channels, sides, sides).to(device).requires_grad_() for sides in (side, kernel)]
    found = {}
    for form in FORMS:
        output = call(form, inputs, backward=True)
        found[form] = [output, *(tensor.grad.clone() for tensor in inputs if tensor.grad is not None)]
        for tensor in inputs:
            tensor.grad = None
    for ours, theirs in zip(*found.values(), strict=True):
        if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max())):
            raise SystemExit(
                f"{encoder} on {device}: outputs or gradients differ by {float((ours - theirs).abs().max())}"
            )
    lines, details = [], {}
    for name, backward in (("forward", False), ("forward and backward", True)):
        calls = {form: partial(call, form, inputs, backward) for form in FORMS}
        seconds = side_by_side(calls, rounds)
        lines.append(
            Line(f"{encoder} on {device}, {name}: grouped as fast as a loop", seconds["loop"] / seconds["grouped"])
        )
        details |= {f"{encoder}, {device}, {name}, {form}, ms": 1e3 * value for form, value in seconds.items()}
    return lines, details


def main() -> None:
    """Measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=10, help="turns of each form")
    chosen = options.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    gpu = torch.cuda.is_available()
    lines: list[Line] = []
    details: dict[str, float | str] = {"GPU": torch.cuda.get_device_name() if gpu else "not measured: none at hand"}
    for encoder in SIZES:
        for device in ("cpu", "cuda") if gpu else ("cpu",):
            more, told = measure(encoder, device, chosen.rounds)
            lines, details = lines + more, details | told
    write("dynamic_convolution", lines, details)


if __name__ == "__main__":
    main()
