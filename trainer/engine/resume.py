"""What a killed training run goes on from, in a scratch folder that is no output."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import DataError
from pipeline.params import Params
from pipeline.shards.manifest import sha256_of
from trainer.checkpoints import ModelCard, load_content, save_content, write_model
from trainer.data.samples import ParsingSamples
from trainer.engine.random_state import RandomState

logger = logging.getLogger(__name__)


@dataclass
class TrainingState:
    """A run between two steps.

    Attributes:
        card: of the model that is trained, as JSON: label set, keypoint set and parameters are in it.
        step: steps done, through all epochs; the rate and the position in the epoch follow from it.
        network, optimizer, scaler: their state_dicts.
        average: the weights' moving average, empty where none is kept.
        sums: name -> sum over this epoch's steps of a loss; empty between two epochs.
        random: torch's generators by rank, in the middle of an epoch.
        history: everything logged so far, told again to the log of a run that resumes.
        best_epoch, best_score: of the best validation so far, 0 before the first.
    """

    card: str
    step: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    random: list[RandomState] = field(default_factory=list)
    history: list[tuple[str, float, int]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = 0.0

    def logged(self, epoch: int) -> dict[str, float]:
        """What was logged of an epoch, counted from 1."""
        return {name: value for name, value, when in self.history if when == epoch}


def run_folder(
    scratch: Path, params: Params, splits: list[ParsingSamples], version: str, backbone_file: Path | None = None
) -> Path:
    """Where a run's checkpoints lie; the name holds a fingerprint of all that its result depends on."""
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
    return scratch / f"train-{fingerprint[:16]}"


@dataclass(frozen=True)
class Checkpoints:
    """A run's checkpoints, each whole or not there: the last few states, and the best model.

    Attributes:
        folder: of this run alone.
        keep: how many of the last states stay.
    """

    folder: Path
    keep: int

    @property
    def best(self) -> Path:
        """The model file of the best validation."""
        return self.folder / "best.pt"

    def newest(self, card: ModelCard) -> TrainingState:
        """The newest state, or a fresh one where there is none. One that cannot be read is passed over for an older one.

        Raises:
            DataError: none of the files can be read, or the newest is of a run of another model or other parameters.
        """
        files = self._states()
        problem: DataError | None = None
        for file in reversed(files):
            try:
                return _read_state(file, card)
            except DamagedError as error:
                logger.warning("%s; going on from an older checkpoint", error)
                problem = error
        if problem is not None:
            raise DataError(f"{problem}. Delete {self.folder} to train from the beginning")
        return TrainingState(card.to_json())

    def save(self, state: TrainingState) -> None:
        """Write a state, then remove those that are too many, and what a killed run has left half written."""
        save_content(self.folder / f"step-{state.step:09d}.pt", vars(state))
        for file in (*self._states()[: -self.keep], *self.folder.glob(".*.pt.*")):
            file.unlink(missing_ok=True)

    def save_best(self, card: ModelCard, weights: dict[str, Tensor]) -> None:
        """Write the model of the best validation so far."""
        write_model(self.best, card, weights)

    def remove(self) -> None:
        """Remove everything: the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _states(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"))


class DamagedError(DataError):
    """A checkpoint cannot be read, or is not of this version."""


def _read_state(file: Path, card: ModelCard) -> TrainingState:
    try:
        state = TrainingState(**load_content(file))
    except (DataError, TypeError) as error:
        raise DamagedError(f"{file}: not a checkpoint of training ({error})") from error
    if state.card != card.to_json():
        raise DataError(
            f"{file}: a checkpoint of {_described(ModelCard.from_json(state.card), card)}. Delete {file.parent} to train "
            "from the beginning"
        )
    return state


def _described(found: ModelCard, expected: ModelCard) -> str:
    """The first thing in which two cards differ."""
    for name, value in vars(found).items():
        if value != getattr(expected, name):
            return f"another run: {name} is {value!r}, here {getattr(expected, name)!r}"
    return "another run"
