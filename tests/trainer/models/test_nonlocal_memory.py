"""The non-local block's attention at CorrPM's size, 96 x 96 positions of 512 channels: its memory, its gradients, its kernels.

softmax(Q K^T) V written out holds the 9216 x 9216 relation map, at 340 MB, more than once.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend

from trainer.models import nonlocal_block
from trainer.models.nonlocal_block import correlate

SIDE, CHANNELS = 96, 512

_MEASURE = """
import sys, torch
from tests.trainer.models.test_nonlocal_memory import CHANNELS, SIDE, inputs, peak_kb, written_out
from trainer.models.nonlocal_block import correlate
torch.set_num_threads(2)
compute = {"correlate": correlate, "written_out": written_out}[sys.argv[1]]
compute(*inputs("cpu", 8, 8)).sum().backward()  # what torch takes once
given = inputs("cpu", SIDE, CHANNELS)
peak = peak_kb()
compute(*given).square().sum().backward()
print(peak_kb() - peak)
torch.save([tensor.grad for tensor in given], sys.argv[2])
"""


def peak_kb() -> int:
    """The most memory that this process ever had in use. (getrusage's figure takes in that of the process it came from.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])


def inputs(device: str, side: int, channels: int) -> list[torch.Tensor]:
    """Queries, keys and values (1, C, side, side) whose softmax is neither flat nor a single one."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(1, channels, side, side, generator=generator) for _ in range(3)]
    drawn[0] *= 2 / channels**0.5
    return [tensor.to(device).requires_grad_() for tensor in drawn]


def written_out(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Eq. 2 and 3 as matrices."""
    q, k, v = (features.flatten(2) for features in (queries, keys, values))
    relation = (q.transpose(1, 2) @ k).softmax(2)
    return (relation @ v.transpose(1, 2)).transpose(1, 2).view_as(values)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells a process's peak memory")
def test_on_the_cpu_memory_stays_under_half_and_gradients_are_equal(tmp_path: Path) -> None:
    grown, gradients = {}, {}
    for name in ("correlate", "written_out"):
        file = tmp_path / f"{name}.pt"
        command = [sys.executable, "-c", _MEASURE, name, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
        grown[name], gradients[name] = int(done.stdout), torch.load(file)
    assert grown["written_out"] > 2 * 4 * SIDE**4 / 1024  # in kB: the map and another of its size
    assert grown["correlate"] < grown["written_out"] / 2
    for ours, theirs in zip(*gradients.values(), strict=True):
        assert (ours - theirs).abs().max() < 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU at hand")
def test_on_a_gpu_memory_stays_under_half_and_gradients_are_equal() -> None:
    grown, gradients = {}, {}
    for compute in (correlate, written_out):
        given = inputs("cuda", SIDE, CHANNELS)
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        compute(*given).square().sum().backward()
        torch.cuda.synchronize()
        grown[compute] = torch.cuda.max_memory_allocated() - before
        gradients[compute] = [tensor.grad for tensor in given]
    assert grown[correlate] < grown[written_out] / 2
    for ours, theirs in zip(*gradients.values(), strict=True):
        assert (ours - theirs).abs().max() < 1e-4 * max(1.0, float(theirs.abs().max()))


def test_the_fused_kernel_is_what_runs() -> None:
    given = inputs("cuda" if torch.cuda.is_available() else "cpu", 8, 8)
    with torch.profiler.profile() as profile:
        correlate(*given).sum().backward()
    ran = {event.key for event in profile.key_averages()}
    fused = {"flash", "efficient", "cudnn"}
    attention = {key for key in ran if key.startswith("aten::_scaled_dot_product")}
    assert attention and all(any(kind in key for kind in fused) for key in attention)
    assert not any("math" in key for key in attention)


def test_a_fall_back_to_the_plain_kernel_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only kernels asked for by name are taken: where none of them runs there is no answer, and no 340 MB map."""
    assert SDPBackend.MATH not in nonlocal_block._FUSED
    monkeypatch.setattr(nonlocal_block, "_FUSED", [SDPBackend.CUDNN_ATTENTION])
    with pytest.raises(RuntimeError, match=r"No (viable|available)"):
        correlate(*inputs("cpu", 4, 8))
