"""One epoch of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn, optim

from pipeline.errors import ParamsError
from pipeline.params import Params
from trainer.data.batch import Batch
from trainer.data.targets import make_targets
from trainer.engine.optimizer import learning_rate
from trainer.input_spec import InputSpec
from trainer.losses import training_loss


def train_one_epoch(
    fabric: Fabric,
    model: nn.Module,
    optimizer: optim.Optimizer,
    batches: Iterable[Batch],
    params: Params,
    spec: InputSpec,
    steps: range,
    total_steps: int,
    on_step: Callable[[int], None],
) -> dict[str, float]:
    """Train on every batch once.

    Args:
        fabric: device and precision; `model` and `optimizer` are set up by it.
        batches: of the loader, on the CPU.
        params: the sections train, heatmaps and edges are read.
        spec: how images are fed.
        steps: numbers of this epoch's steps, counted through all epochs.
        total_steps: of all epochs.
        on_step: called with the number of steps done.

    Returns:
        Mean over the epoch of "loss" and of its parts, "loss_<part>".

    Raises:
        ParamsError: the loss is not finite.
    """
    model.train()
    sums: dict[str, Tensor] = {}
    for step, batch in zip(steps, batches, strict=True):
        rate = learning_rate(step, total_steps, params.train)
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = fabric.to_device(batch)
        targets = make_targets(
            batch,
            params.edges.width,
            params.heatmaps,
            background=bool(model.pose_background),
            missing=params.train.loss.missing_keypoints,
        )
        prediction = model(spec.normalize(batch.images))
        align = bool(model.align_corners)
        loss, parts = training_loss(prediction, targets, params.train.loss, align_corners=align)
        _require_finite(loss, parts, step, rate)
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        for name, value in {"loss": loss, **{f"loss_{part}": value for part, value in parts.items()}}.items():
            sums[name] = sums.get(name, torch.zeros_like(value)) + value.detach()
        on_step(step + 1)
    return {name: float(value) / len(steps) for name, value in sums.items()}


def _require_finite(loss: Tensor, parts: dict[str, Tensor], step: int, rate: float) -> None:
    if not torch.isfinite(loss):
        values = ", ".join(f"{name} {value.item():.4g}" for name, value in parts.items())
        raise ParamsError(
            f"train.lr: the loss is {loss.item()} in step {step + 1} at a rate of {rate:.3g} ({values}). "
            "Lower train.lr, or raise train.warmup_steps"
        )
