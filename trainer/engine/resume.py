"""What a killed training run goes on from, in a scratch folder that is no output."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim

from pipeline.params import Params
from pipeline.shards.manifest import sha256_of
from trainer.checkpoints import load_content, save_content
from trainer.data.samples import ParsingSamples


@dataclass
class TrainingState:
    """A run between two epochs.

    Attributes:
        epoch: epochs done.
        model, optimizer: their state_dicts.
        history: everything logged so far, told again to the log of a run that resumes.
    """

    epoch: int = 0
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[tuple[str, float, int]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, float]:
        """What was logged of the last epoch."""
        return {name: value for name, value, epoch in self.history if epoch == self.epoch}


def state_file(
    scratch: Path, params: Params, splits: list[ParsingSamples], version: str, backbone_file: Path | None = None
) -> Path:
    """Where the run's state lies; the name holds a fingerprint of all that its result depends on."""
    content = {
        "seed": params.seed,
        "train": params.train.model_dump(mode="json"),
        "heatmaps": params.heatmaps.model_dump(mode="json"),
        "edge_width": params.edges.width,
        "shards": [[shard.sha256 for shards in split.shards for shard in shards.manifest.shards] for split in splits],
        "backbone": None if backbone_file is None else sha256_of(backbone_file),
        "versions": [version, torch.__version__],
    }
    fingerprint = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return scratch / f"train-{fingerprint[:16]}.pt"


def save_state(file: Path, state: TrainingState) -> None:
    """Write the state, whole or not at all."""
    save_content(file, vars(state))


def load_state(file: Path, model: nn.Module, optimizer: optim.Optimizer) -> TrainingState:
    """The state that was saved, put into model and optimizer; a fresh state where there is no file."""
    if not file.exists():
        return TrainingState()
    state = TrainingState(**load_content(file))
    model.load_state_dict(state.model)
    optimizer.load_state_dict(state.optimizer)
    return state
