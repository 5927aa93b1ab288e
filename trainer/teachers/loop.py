"""The loop that fits a teacher: seeded by step, resumable, the same weights from the same seed on one machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.params import DetectorFit, PoseFit
from trainer.data.worker_errors import plain_worker_errors
from trainer.engine.device import repeatable
from trainer.teachers.checkpoint import FitState

Batch = TypeVar("Batch")
Progress = Callable[[int, int, Mapping[str, float]], None]
"""Told after every step: steps done, steps in all, the parts of the loss."""

CHECKPOINT_SECONDS = 120.0
CLIP_NORM = 5.0
AVERAGE_DECAY = 0.998


def fit_network(
    network: nn.Module,
    batches: Callable[[int], Iterator[Batch]],
    losses_of: Callable[[Batch], Mapping[str, Tensor]],
    section: DetectorFit | PoseFit,
    seed: int,
    checkpoint: Path,
    fingerprint: str,
    progress: Progress,
) -> None:
    """Fit a network in place; it ends with the moving average of its weights.

    AdamW, linear warm-up, then a cosine down to zero, gradients clipped to CLIP_NORM.

    Args:
        batches: first step -> the batches from that step on.
        losses_of: batch -> parts of the loss; what it draws comes from torch's generator, which is seeded anew before
            every step.
        checkpoint: where the state lies between runs; written every CHECKPOINT_SECONDS, gone at the end.
        fingerprint: of everything that decides the result; a checkpoint with another one is not resumed.

    Raises:
        FloatingPointError: the loss is not finite.
        WorkerDied: a process that draws batches was killed.
    """
    optimizer = torch.optim.AdamW(_groups(network, section.weight_decay), lr=section.lr)
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    state = FitState(network, optimizer, average)
    with repeatable(section.threads), plain_worker_errors():
        first = state.resume(checkpoint, fingerprint)
        written = time.monotonic()
        _train_mode(network)
        for step, batch in enumerate(batches(first), start=first):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, section)
            torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1, np.uint64)[0]))
            parts = _step(network, optimizer, losses_of(batch), step)
            _move_average(average, network, step)
            progress(step + 1, section.steps, parts)
            if time.monotonic() - written > CHECKPOINT_SECONDS:
                state.write(checkpoint, fingerprint, step + 1)
                written = time.monotonic()
    network.load_state_dict(average)
    network.eval()


def _train_mode(network: nn.Module) -> None:
    """Batches normalise by themselves, but for frozen norms, which keep their statistics."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, losses: Mapping[str, Tensor], step: int
) -> dict[str, float]:
    """One step down the gradient; the parts of the loss as numbers."""
    total = torch.stack(list(losses.values())).sum()
    parts = {name: float(value.detach()) for name, value in losses.items()}
    if not math.isfinite(float(total.detach())):
        raise FloatingPointError(f"step {step}: the loss is not finite: {parts}. Lower lr or lengthen warmup_steps")
    optimizer.zero_grad(set_to_none=True)
    total.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
    optimizer.step()
    return parts


def learning_rate(step: int, section: DetectorFit | PoseFit) -> float:
    """Linear from lr / warmup_steps up to lr, then half a cosine down to 0 at the last step."""
    if step < section.warmup_steps:
        return section.lr * (step + 1) / section.warmup_steps
    done = (step - section.warmup_steps) / max(1, section.steps - section.warmup_steps)
    return section.lr * 0.5 * (1 + math.cos(math.pi * done))


def _groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases and the scales of norms do not."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


@torch.no_grad()
def _move_average(average: dict[str, Tensor], network: nn.Module, step: int) -> None:
    """Average the floats (norm statistics too) with a decay that rises to AVERAGE_DECAY; copy the counters."""
    decay = min(AVERAGE_DECAY, (1 + step) / (10 + step))
    state = network.state_dict()
    floats = [name for name, value in state.items() if value.is_floating_point()]
    torch._foreach_lerp_([average[name] for name in floats], [state[name] for name in floats], 1 - decay)
    for name in state.keys() - set(floats):
        average[name].copy_(state[name])
