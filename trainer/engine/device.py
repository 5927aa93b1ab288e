"""Where networks run, and what makes their results repeat."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import ParamsError
from pipeline.params import Executor

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

ONE_DEVICE = Executor()

_BUFFER_SWITCHES = ("forward_sync_buffers", "broadcast_buffers")

_SYNC_BUFFERS: dict[str, Any] = {
    next(name for name in _BUFFER_SWITCHES if name in signature(DistributedDataParallel).parameters): False
}
"""DDP's switch, off, for sending the first process's buffers to the others at every look; by its newer or older name.

Buffers are the norms' statistics: SyncBatchNorm keeps them equal, and `share_buffers` where it does not run. Sent in
validation too, they would have processes wait for looks that others do not take.
"""


def build_fabric(precision: Precision, executor: Executor = ONE_DEVICE) -> Fabric:
    """The device of this process, and its fellows where several share the work.

    Under torchrun its processes are taken as they are; else `executor.devices` processes run the same command line from
    its beginning to here. Nothing that must happen once should happen before.

    Raises:
        ParamsError: there are fewer GPUs than asked for, or the precision needs one.
    """
    ranks, nodes = executor.devices, 1
    if "TORCHELASTIC_RUN_ID" in os.environ:
        ranks = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // ranks
    on_gpu = executor.accelerator == "cuda" or (executor.accelerator == "auto" and torch.cuda.is_available())
    _require_devices(precision, executor.accelerator, on_gpu, ranks)
    if on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without, cuBLAS does not repeat its sums
    fabric = Fabric(
        accelerator="cuda" if on_gpu else executor.accelerator,
        devices=ranks,
        num_nodes=nodes,
        strategy=DDPStrategy(**_SYNC_BUFFERS) if ranks * nodes > 1 else "auto",
        precision=precision,
    )
    fabric.launch()
    return fabric


def _require_devices(precision: Precision, accelerator: str, on_gpu: bool, ranks: int) -> None:
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "executor.accelerator: cuda was asked for, and PyTorch finds no GPU on this machine. Set it to auto or cpu, or "
            "install a PyTorch built for CUDA and its driver"
        )
    if on_gpu and ranks > torch.cuda.device_count():
        raise ParamsError(
            f"executor.devices: {ranks} GPUs were asked for, and this machine has {torch.cuda.device_count()}. Set fewer"
        )
    if precision == "16-mixed" and not on_gpu:
        raise ParamsError("train.precision: 16-mixed needs a GPU, and there is none. Set 32-true or bf16-mixed")


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has needed at most so far: of the GPU's memory, or of the machine's where it runs on that."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@contextmanager
def repeatable(threads: int) -> Iterator[None]:
    """Equal results from equal inputs inside the block, on one type of machine; torch's settings are put back after it.

    On the CPU this is strict: an operation without a repeatable form is an error. On an accelerator it is a warning.

    Args:
        threads: of one operation on the CPU; sums are split by them, so that another number rounds differently.
    """
    before = torch.get_num_threads()
    strictness = torch.get_deterministic_debug_mode()
    benchmark = torch.backends.cudnn.benchmark
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(strictness)
        torch.backends.cudnn.benchmark = benchmark
