"""The optimiser and its learning rate at every step."""

from __future__ import annotations

from torch import nn, optim

from pipeline.params import Train


def build_optimizer(network: nn.Module, settings: Train) -> optim.Optimizer:
    """SGD with momentum (CorrPM section 4.1), RMSprop (MuLA's code), or AdamW, which needs pretrained weights least."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    rate, decay = settings.lr, settings.weight_decay
    if settings.optimizer == "sgd":
        return optim.SGD(weights, lr=rate, momentum=settings.momentum, weight_decay=decay)
    if settings.optimizer == "rmsprop":
        return optim.RMSprop(weights, lr=rate, weight_decay=decay)
    return optim.AdamW(weights, lr=rate, weight_decay=decay)


def learning_rate(step: int, total_steps: int, settings: Train) -> float:
    """The rate of step number `step`, counted from 0.

    "poly": lr (1 - step / total_steps)^0.9 (CorrPM section 4.1). "step": lr, and from each milestone's epoch on lr times
    its factor (MuLA halves it after 150, 170, 200 and 230 epochs). In the first `warmup_steps` the rate rises linearly.
    """
    rate = settings.lr * min(1.0, (step + 1) / (settings.warmup_steps + 1))
    if settings.schedule == "poly":
        return rate * (1 - step / total_steps) ** 0.9
    epochs_done = step * settings.epochs // total_steps
    passed = [f for m, f in zip(settings.milestones, settings.factors, strict=True) if m <= epochs_done]
    return rate * passed[-1] if passed else rate
