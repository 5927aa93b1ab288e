"""A loss that is no number: the run stops, and the batch that caused it is kept to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ParamsError
from pipeline.shards.write import npz_bytes, write_whole
from trainer.data.batch import Batch


def is_finite(losses: Mapping[str, float], norm: float, precision: str) -> bool:
    """Whether the weights may follow the gradients; with 16-mixed, steps of infinite gradients are left out anyway."""
    return math.isfinite(losses["loss"]) and (precision == "16-mixed" or math.isfinite(norm))


def save_batch(file: Path, parts: Sequence[Batch], sample_ids: Sequence[str]) -> None:
    """Write a process's share of a batch, the arrays by their names in Batch as they were fed, and sample_ids."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays = {
        name: np.concatenate([array.cpu().numpy() for array in arrays])
        for name, arrays in zip(Batch._fields, zip(*parts, strict=True), strict=True)
        if arrays[0] is not None
    }
    write_whole(file, npz_bytes({**arrays, "sample_ids": np.array(sample_ids)}.items(), compress=True))


def not_finite(losses: Mapping[str, float], norm: float, step: int, rate: float, file: Path) -> ParamsError:
    """What to tell of step number `step`, counted from 0."""
    values = ", ".join(f"{name.removeprefix('loss_')} {value:.4g}" for name, value in losses.items() if name != "loss")
    return ParamsError(
        f"train.lr: the loss is {losses['loss']:.4g} and its gradients' norm {norm:.4g} in step {step + 1} at a rate of "
        f"{rate:.3g} ({values}). Lower train.lr, raise train.warmup_steps or set train.clip_norm; the batch lies in {file}"
    )
