"""Trainings in processes of their own: to be killed, or to share one training."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing import get_context, set_start_method
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipeline.params import Params
from stages.cli import main
from trainer.checkpoints import read_model
from trainer.data.samples import ParsingSamples
from trainer.data.training_data import TrainingData
from trainer.engine import train
from trainer.engine.device import build_fabric, repeatable
from trainer.engine.learner import Learner
from trainer.engine.validate import validate
from trainer.models import load_model
from trainer.predict import CropParser

# A server that has imported all this forks the children: torch is loaded once, and has no threads yet. Where another test's
# pool has started the server, each imports it for itself, from here: pytest leaves the project's folder out of the path.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])
_ROOT = str(Path(__file__).resolve().parents[3])


@dataclass(frozen=True)
class Kill:
    """After so many steps of this life, and then so many seconds, the process is no more; it takes one step more at most."""

    steps: int
    seconds: float


def start(target: Any, *arguments: Any) -> BaseProcess:
    """A child at work."""
    child = _CONTEXT.Process(target=_run, args=(target, *arguments))
    with patch.object(sys, "path", [_ROOT, *sys.path]):
        child.start()
    return child


def _run(target: Any, *arguments: Any) -> None:
    # As in a process that was not started by a server: loader workers are its own children, and notice its end.
    set_start_method("fork", force=True)
    target(*arguments)


def train_and_log(params: Params, toy: Path, folder: Path, kill: Kill | None) -> None:
    """Train as `hpp train` does; what was logged goes to log.json."""
    logged: list[Any] = []
    steps: list[int] = []

    def progress(done: int, total: int, losses: Any) -> None:
        steps.append(done)
        if kill and len(steps) == kill.steps:
            threading.Timer(kill.seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        elif kill and len(steps) > kill.steps:
            time.sleep(600)

    train(params, toy, folder / "parser.pt", folder / "scratch", lambda *entry: logged.append(entry), progress)
    (folder / "log.json").write_text(json.dumps({"logged": logged, "first": steps[0] if steps else None}))


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def train_as_rank(rank: int, ranks: int, port: int, params: Params, toy: Path, folder: Path, judged: Path) -> None:
    """Train as torchrun's process number `rank`; what it did goes to rank<rank>.json.

    Args:
        judged: a model file; the validation scores of its weights are told, too.
    """
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "test",
    }  # fmt: skip
    seen: list[tuple[int, int]] = []
    fill = TrainingData.fill

    def fill_and_tell(self: TrainingData, keys: Any, batch: Any) -> None:
        seen.extend(keys)
        fill(self, keys, batch)

    TrainingData.fill = fill_and_tell  # type: ignore[method-assign]
    logged: list[Any] = []
    last = train(params, toy, folder / "parser.pt", folder / "scratch", lambda *entry: logged.append(entry))
    told = {"seen": seen, "logged": logged, "last": last, "scores": scores_of(judged, params, toy)}
    (folder / f"rank{rank}.json").write_text(json.dumps(told))


def scores_of(model_file: Path, params: Params, toy: Path) -> dict[str, float]:
    """Validation scores of a model file, by as many processes as there are."""
    fabric = build_fabric("32-true", params.executor)
    with repeatable(params.train.threads):
        card, _ = read_model(model_file)
        parser = CropParser(fabric.setup_module(load_model(model_file)), card, fabric.device)
        split = ParsingSamples([toy / "toy" / "val"], parser.label_set, parser.keypoint_set)
        return validate(parser, split, 2, 0, fabric)


def hpp(root: Path, arguments: list[str], kill_after: int | None) -> None:
    """The command line in a project's folder, killed after so many steps of training."""
    os.chdir(root)
    if kill_after is not None:
        update, done = Learner.update, []

        def update_and_die(self: Learner, rate: float) -> None:
            update(self, rate)
            done.append(rate)
            if len(done) == kill_after:
                os.kill(os.getpid(), signal.SIGKILL)

        Learner.update = update_and_die  # type: ignore[method-assign]
    main(arguments)
