"""Where a network runs, and with which precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def best_device() -> torch.device:
    """The first GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def compute_in(modules: Sequence[nn.Module], device: torch.device, dtype: torch.dtype) -> None:
    """Let these modules compute in `dtype` from float32 weights and give float32 outputs.

    The modules are named one by one because boxes must stay in float32: float16 counts half
    pixels up to 1,024 only, bfloat16 whole ones up to 256.
    """
    for module in modules:
        module.forward = _autocast(module.forward, device, dtype)


def _autocast(forward: Callable[..., Any], device: torch.device, dtype: torch.dtype) -> Callable[..., Any]:
    def _forward(*inputs: Any) -> Any:
        with torch.autocast(device.type, dtype):
            outputs = forward(*inputs)
        return _float(outputs)

    return _forward


def _float(outputs: Any) -> Any:
    if isinstance(outputs, Tensor):
        return outputs.float()
    if isinstance(outputs, Mapping):
        return {name: _float(value) for name, value in outputs.items()}
    return type(outputs)(_float(value) for value in outputs)
