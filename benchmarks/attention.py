"""What does the heterogeneous non-local block cost, beside the same block with its relation map written out?

    python benchmarks/attention.py [--rounds 2]

CorrPM's block at its own size, 512 channels at 96 x 96 positions: the official variant, whose keys are pooled to 48 x 48, and the
paper's, whose relation map has 9216 x 9216 cells. The other form is the same block, same weights, with softmax(Q K) V as matrices.
Outputs must be equal. Times of a forward and of a forward and backward pass, on all cores, in turns in this process; memory is what a process of
its own takes beyond its inputs, in a forward and backward pass. On a GPU, too, where there is one. Writes
benchmarks/results/attention.json; about three minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from measuring import ROOT, Line, side_by_side, write
from torch import Tensor

from trainer.models import nonlocal_block
from trainer.models.nonlocal_block import HeterogeneousNonLocal, correlate

SIDE, CHANNELS = 96, 512


def written_out(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Eq. 2 and 3 as matrices."""
    q, k, v = (features.flatten(2) for features in (queries, keys, values))
    relation = torch.softmax(q.transpose(1, 2) @ k, dim=2)
    return (relation @ v.transpose(1, 2)).transpose(1, 2).unflatten(2, queries.shape[2:])


FORMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"ours": correlate, "written out": written_out}


def block_and_inputs(variant: str, device: str) -> tuple[HeterogeneousNonLocal, list[Tensor]]:
    """The block with drawn weights, and f_p, f_b and f_k."""
    torch.manual_seed(0)
    block = HeterogeneousNonLocal(CHANNELS, 2, variant).to(device)  # type: ignore[arg-type]
    for parameter in block.restore.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    features = [torch.randn(1, CHANNELS, SIDE, SIDE).to(device).requires_grad_() for _ in range(3)]
    return block, features


def call(form: str, block: HeterogeneousNonLocal, features: list[Tensor], backward: bool) -> Tensor:
    """The block's output, computed in one of the forms."""
    nonlocal_block.correlate = FORMS[form]
    try:
        with torch.set_grad_enabled(backward):
            output = block(features[0], features[1:])
    finally:
        nonlocal_block.correlate = correlate
    if backward:
        output.square().mean().backward()
    if output.is_cuda:
        torch.cuda.synchronize()
    return output.detach()


def peak_mb(form: str, variant: str) -> float:
    """Memory of a forward and backward pass on the CPU, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", form, variant]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout.split()[-1])


def grown_mb(form: str, variant: str) -> float:
    """What this process takes for a pass beyond what it held before."""
    block, features = block_and_inputs(variant, "cpu")
    before = _highest_mb()
    call(form, block, features, backward=True)
    return _highest_mb() - before


def _highest_mb() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def gpu_mb(form: str, variant: str) -> float:
    """Memory of a forward and backward pass on the GPU."""
    block, features = block_and_inputs(variant, "cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call(form, block, features, backward=True)
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def measure(variant: str, device: str, rounds: int) -> tuple[list[Line], dict[str, float]]:
    """Lines and figures of one variant on one device."""
    block, features = block_and_inputs(variant, device)
    block.eval()
    ours, theirs = (call(form, block, features, backward=False) for form in FORMS)
    if not torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max())):
        raise SystemExit(f"{variant} on {device}: outputs differ by {float((ours - theirs).abs().max())}")
    lines, details = [], {}
    for name, backward in (("forward", False), ("forward and backward", True)):
        calls = {form: partial(call, form, block, features, backward) for form in FORMS}
        seconds = side_by_side(calls, rounds)
        lines.append(
            Line(
                f"{variant} block on {device}, {name}: as fast as written out", seconds["written out"] / seconds["ours"]
            )
        )
        details |= {f"{variant}, {device}, {name}, {form}, ms": 1e3 * value for form, value in seconds.items()}
    if device == "cuda" or Path("/proc/self/status").exists():
        memory = {form: (gpu_mb if device == "cuda" else peak_mb)(form, variant) for form in FORMS}
        share = memory["ours"] / memory["written out"]
        lines.append(Line(f"{variant} block on {device}: memory", share, "of written out", target=1, at_most=True))
        details |= {f"{variant}, {device}, memory, {form}, MB": value for form, value in memory.items()}
    return lines, details


def main() -> None:
    """Measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=2, help="turns of each form")
    options.add_argument("--measure", nargs=2, metavar=("FORM", "VARIANT"), help="print one form's memory, and no more")
    chosen = options.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if chosen.measure:
        print(grown_mb(*chosen.measure))
        return
    gpu = torch.cuda.is_available()
    lines: list[Line] = []
    details: dict[str, float | str] = {"GPU": torch.cuda.get_device_name() if gpu else "not measured: none at hand"}
    for variant in ("official", "paper"):
        for device in ("cpu", "cuda") if gpu else ("cpu",):
            more, told = measure(variant, device, chosen.rounds)
            lines, details = lines + more, details | told
    write("attention", lines, details)


if __name__ == "__main__":
    main()
