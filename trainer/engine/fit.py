"""All epochs of a training run, from where it stands to the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pipeline.errors import DataError, ParamsError
from pipeline.params import Params
from trainer.callbacks import Log, StepProgress
from trainer.checkpoints import ModelCard
from trainer.data.batch import Batch
from trainer.data.epoch_batches import EpochBatches
from trainer.data.samples import ParsingSamples
from trainer.data.training_data import training_data, training_loader
from trainer.data.worker_errors import plain_worker_errors
from trainer.engine.average import WeightAverage
from trainer.engine.failure import is_finite, not_finite, save_batch
from trainer.engine.learner import Learner
from trainer.engine.norms import least_samples, prepare_norms, train_mode
from trainer.engine.optimizer import build_optimizer, learning_rate
from trainer.engine.random_state import random_states, restore_random_state, seed_epoch
from trainer.engine.resume import Checkpoints, TrainingState
from trainer.engine.validate import validate
from trainer.models import ParsingNetwork
from trainer.predict import CropParser
from trainer.ranks import gathered, share_buffers


class Fit:
    """A run: what it learns with, and its state.

    Attributes:
        state: after the last checkpoint that was read or written; its history is always up to date.
    """

    def __init__(
        self,
        fabric: Fabric,
        params: Params,
        card: ModelCard,
        network: ParsingNetwork,
        train_split: ParsingSamples,
        val_split: ParsingSamples,
        checkpoints: Checkpoints,
        log: Log,
        progress: StepProgress,
    ) -> None:
        """Set up, and go on from the newest checkpoint; see `run`."""
        settings = params.train
        self.fabric, self.params, self.card, self.settings = fabric, params, card, settings
        self.train_split, self.val_split = train_split, val_split
        self.checkpoints, self.log, self.progress = checkpoints, log, progress
        self.network = prepare_norms(network, settings.freeze_norm, fabric)
        optimizer = build_optimizer(self.network, settings)
        # Compiling returns a module that shares the network's weights.
        module = cast(nn.Module, torch.compile(self.network)) if settings.compile else self.network
        model, optimizer = fabric.setup(module, optimizer)
        self.learner = Learner(fabric, self.network, model, optimizer, params, card.input_spec)
        self.average = None if settings.ema is None else WeightAverage(self.network, settings.ema)
        self.batches = EpochBatches(
            len(train_split),
            settings.batch_size,
            params.seed,
            train_split.read_together,
            parts=settings.accumulate,
            rank=fabric.global_rank,
            ranks=fabric.world_size,
        )
        self._require_full_parts()
        self.total_steps = settings.epochs * self.batches.steps
        self.state = self._resume()

    def run(self) -> None:
        """Train to the end of the last epoch.

        Raises:
            ParamsError: the loss is not finite.
            DataError: a sample cannot be read, or a checkpoint not be written.
        """
        for entry in self.state.history:
            self.log(*entry)
        data = training_data(self.params, self.train_split, self.card.input_spec)
        pin = self.fabric.device.type == "cuda"
        loader = training_loader(data, self.batches, self.params.executor.loader_workers, pin)
        steps = self.batches.steps
        for epoch in range(self.state.step // steps, self.settings.epochs):
            self.batches.epoch, self.batches.first = epoch, self.state.step % steps
            with plain_worker_errors():
                self._train(iter(loader))
            logged = {name: total / steps for name, total in self.state.sums.items()}
            logged["lr"] = self.learner.optimizer.param_groups[0]["lr"]
            if (epoch + 1) % self.settings.validate_every == 0 or epoch + 1 == self.settings.epochs:
                with plain_worker_errors():
                    logged |= self._validate(epoch + 1)
            for name, value in logged.items():
                self.log(name, value, epoch + 1)
            self.state.history += [(name, value, epoch + 1) for name, value in logged.items()]
            self.state.sums = {}
            self._save(random=False)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The network's weights, or their moving average where one is kept."""
        return self.network.state_dict() if self.average is None else self.average.values

    def _train(self, batches: Iterator[Batch]) -> None:
        """The rest of the epoch's steps."""
        # After the loader, which draws too: dropout depends on the seed, the epoch and the process alone.
        seed_epoch(self.params.seed, self.batches.epoch, self.fabric.global_rank)
        if self.batches.first:
            restore_random_state(self.state.random, self.fabric)
        self.learner.model.train()
        train_mode(self.network, self.settings.freeze_norm)
        end = (self.batches.epoch + 1) * self.batches.steps
        for step in range(self.state.step, end):
            parts = [self.fabric.to_device(next(batches)) for _ in range(self.settings.accumulate)]
            rate = learning_rate(step, self.total_steps, self.settings)
            losses, norm = self.learner.gradients(parts)
            if not is_finite(losses, norm, self.settings.precision):
                self._fail(parts, losses, norm, step, rate)
            self.learner.update(rate)
            if self.average is not None:
                self.average.update(step)
            self._count(losses)
            self.state.step = step + 1
            self.progress(step + 1, self.total_steps, losses)
            if (step + 1) % self.params.executor.checkpoint_steps == 0 and step + 1 < end:
                self._save(random=True)

    def _count(self, losses: dict[str, float]) -> None:
        """Add a step's losses to the epoch's, in the losses' own precision."""
        sums = self.state.sums
        for name, value in losses.items():
            sums[name] = float(np.float32(sums.get(name, 0.0)) + np.float32(value))

    def _validate(self, epoch: int) -> dict[str, float]:
        """The scores of the weights, or of their average; the best so far are kept."""
        with nullcontext() if self.average is None else self.average.in_place():
            share_buffers(self.network, self.fabric)
            parser = CropParser(self.learner.model, self.card, self.fabric.device)
            workers = self.params.executor.loader_workers
            scores = validate(parser, self.val_split, self.settings.batch_size, workers, self.fabric)
        score = scores.get("val_mean_iou", 0.0)
        if not self.state.best_epoch or score > self.state.best_score:
            self.state.best_epoch, self.state.best_score = epoch, score
            if self.fabric.is_global_zero:
                self.checkpoints.save_best(self.card, self.weights)
        return scores

    def _save(self, random: bool) -> None:
        """Write a checkpoint; `random` in the middle of an epoch."""
        state = self.state
        state.network, state.optimizer = self.network.state_dict(), self.learner.optimizer.state_dict()
        state.scaler = self.fabric.strategy.precision.state_dict()
        state.average = {} if self.average is None else self.average.values
        state.random = random_states(self.fabric) if random else []
        if self.fabric.is_global_zero:
            self.checkpoints.save(state)

    def _resume(self) -> TrainingState:
        """The newest checkpoint's state, put into everything that has one."""
        state = self.checkpoints.newest(self.card)
        if len(set(gathered([state.step], self.fabric))) > 1:
            raise DataError(
                f"{self.checkpoints.folder}: processes find different checkpoints there. Give all machines one such folder"
            )
        if state.step:
            self.network.load_state_dict(state.network)
            self.learner.optimizer.load_state_dict(state.optimizer)
            self.fabric.strategy.precision.load_state_dict(state.scaler)
            if self.average is not None:
                self.average.load(state.average)
        return state

    def _fail(self, parts: list[Batch], losses: dict[str, float], norm: float, step: int, rate: float) -> None:
        """Stop the run, and keep the batch."""
        rank = f"-rank{self.fabric.global_rank}" if self.fabric.world_size > 1 else ""
        file = self.checkpoints.folder / f"not-finite-step-{step + 1}{rank}.npz"
        indices = self.batches.indices(step % self.batches.steps)
        save_batch(file, parts, [self.train_split[index].sample_id for index in indices])
        raise not_finite(losses, norm, step, rate, file)

    def _require_full_parts(self) -> None:
        """Every part has samples, and two where batch norms learn from it alone."""
        least = least_samples(self.network, self.settings.freeze_norm)
        if self.batches.smallest < least:
            raise ParamsError(
                f"train.batch_size: {self.settings.batch_size} out of {len(self.train_split)} samples, shared by "
                f"{self.fabric.world_size} processes and cut into {self.settings.accumulate} parts each, leave a part of "
                f"{self.batches.smallest} samples; expected at least {least}. Raise it, lower train.accumulate or "
                "executor.devices, or set train.freeze_norm"
            )
