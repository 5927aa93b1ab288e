"""What a killed fit goes on from: written aside and renamed, and taken up only by the very same fit."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from pipeline.params import DetectorFit, PoseFit
from pipeline.shards.write import file_aside, remove_leftovers

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitState:
    """All that changes from step to step.

    Attributes:
        average: name -> the moving average of a weight.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    average: dict[str, Tensor]

    def write(self, file: Path, fingerprint: str, step: int) -> None:
        """Write the state with which `step` begins, whole or not at all."""
        file.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(file)
        aside = file_aside(file)
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
        }
        try:
            with aside.open("wb") as stream:
                torch.save({"fingerprint": fingerprint, "step": step, **state}, stream)
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(file)
        finally:
            aside.unlink(missing_ok=True)

    def resume(self, file: Path, fingerprint: str) -> int:
        """Take up the file's state if it is of this very fit; the step to go on with, 0 without such a file."""
        if not file.exists():
            return 0
        try:
            state = torch.load(file, map_location=next(self.network.parameters()).device, weights_only=True)
        except Exception as error:  # whatever a damaged file makes torch and pickle raise
            _log.warning("%s: damaged (%s), the fit starts anew", file, error)
            return 0
        if state["fingerprint"] != fingerprint:
            _log.info("%s: of another fit, starting anew", file)
            return 0
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.update(state["average"])
        _log.info("%s: going on with step %d", file, state["step"])
        return int(state["step"])


def fit_fingerprint(source: str, section: DetectorFit | PoseFit, seed: int, network: Any) -> str:
    """SHA-256 over everything that decides a fit.

    Args:
        source: hash of the images and their people.
        network: what it is built from and fed with, and what it starts from; its repr counts.
    """
    versions = [torch.__version__, torchvision.__version__, torch.cuda.is_available()]
    content = [source, section.model_dump(mode="json"), seed, repr(network), versions]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
