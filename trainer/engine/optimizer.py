"""The optimiser and its learning rate at every step."""

from __future__ import annotations

from torch import nn, optim

from pipeline.params import Train


def build_optimizer(model: nn.Module, settings: Train) -> optim.Optimizer:
    """SGD with momentum (CorrPM section 4.1), or AdamW, which does without pretrained weights more easily."""
    if settings.optimizer == "sgd":
        return optim.SGD(
            model.parameters(), lr=settings.lr, momentum=settings.momentum, weight_decay=settings.weight_decay
        )
    return optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)


def learning_rate(step: int, total_steps: int, settings: Train) -> float:
    """The rate of step number `step`, counted from 0.

    "poly": lr (1 - step / total_steps)^0.9 (CorrPM section 4.1). In the first `warmup_steps` the rate rises linearly.
    """
    rate = settings.lr * min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.schedule == "poly":
        rate *= (1 - step / total_steps) ** 0.9
    return rate
