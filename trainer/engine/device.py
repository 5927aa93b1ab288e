"""Where networks run, and what makes their results repeat."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from lightning_fabric import Fabric


def build_fabric(precision: Literal["32-true", "bf16-mixed", "16-mixed"]) -> Fabric:
    """One accelerator where there is one, else the CPU."""
    return Fabric(accelerator="auto", devices=1, precision=precision)


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
