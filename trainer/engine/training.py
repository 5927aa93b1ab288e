"""Training from shards to a model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from pipeline import taxonomy
from pipeline.errors import ParamsError
from pipeline.params import Params
from trainer import __version__
from trainer.callbacks import Log, Progress, no_log, no_progress
from trainer.checkpoints import ModelCard, write_model
from trainer.data.epoch_batches import EpochBatches
from trainer.data.loading import JudgedData, TrainingData, judged_loader, training_loader
from trainer.data.samples import ParsingSamples
from trainer.engine.device import build_fabric, repeatable
from trainer.engine.epoch import train_one_epoch
from trainer.engine.optimizer import build_optimizer
from trainer.engine.resume import load_state, save_state, state_file
from trainer.input_spec import input_spec
from trainer.models import ParsingNetwork, model_feeding, model_of, model_options
from trainer.models.corrpm import without_unweighted
from trainer.models.pretrained import load_backbone
from trainer.predict import CropParser, parse_all
from trainer.scoring import Scores


def train(
    params: Params,
    shards_root: Path,
    out: Path,
    scratch: Path,
    log: Log = no_log,
    progress: Progress = no_progress,
    backbone_file: Path | None = None,
) -> dict[str, float]:
    """Train the parser of `params.train` and write its model file; goes on where a killed run stopped.

    Args:
        params: the sections seed, train, heatmaps and edges decide the result.
        shards_root: holds <dataset>/train and <dataset>/val of each of `train.datasets`.
        out: the model file; written at the end, equal bytes for equal parameters and shards on one type of machine.
        scratch: folder for the state of an unfinished run.
        log: told the losses, the rate and the validation scores of every epoch.
        progress: told the steps done.
        backbone_file: the weights that the backbone begins with; random ones where there is none.

    Returns:
        The last epoch's logged values.

    Raises:
        ParamsError: the model or its backbone is unknown, or the loss is not finite.
        DataError: shards are missing, damaged or have no masks, or the backbone's weights do not fit.
    """
    card = make_card(params)
    settings = params.train
    label_set, keypoint_set = taxonomy.label_set(settings.label_set), taxonomy.keypoint_set(settings.keypoint_set)
    train_split, val_split = (
        ParsingSamples(
            [shards_root / name / split for name in settings.datasets], label_set, keypoint_set, settings.label_maps
        )
        for split in ("train", "val")
    )
    file = state_file(scratch, params, [train_split, val_split], card.package_version, backbone_file)
    with repeatable(settings.threads):
        network = fresh_network(card, params.seed)
        if backbone_file is not None:
            _begin_with(network, backbone_file, card)
        weights, last = _fit(params, card, network, train_split, val_split, file, log, progress)
    write_model(out, card, weights)
    file.unlink(missing_ok=True)
    return last


def make_card(params: Params) -> ModelCard:
    """What the model of these parameters will be; a branch of CorrPM whose loss weighs 0 is left out (Table 6).

    Raises:
        ParamsError: the model is unknown.
    """
    settings = params.train
    name = without_unweighted(settings.model, settings.loss.alpha, settings.loss.beta)
    try:
        accepted = model_options(name)
    except ValueError as error:
        raise ParamsError(f"train: {error}") from error
    options = {
        "backbone": settings.backbone,
        "channels": settings.channels,
        "dilations": list(settings.dilations),
    }
    label_set, keypoint_set = taxonomy.label_set(settings.label_set), taxonomy.keypoint_set(settings.keypoint_set)
    return ModelCard(
        model=name,
        variant=settings.variant,
        options={key: value for key, value in options.items() if key in accepted},
        label_set=label_set.name,
        part_names=label_set.part_names,
        keypoint_set=keypoint_set.name,
        keypoint_names=keypoint_set.keypoint_names,
        input_spec=input_spec(settings.variant, settings.input_size, model_feeding(name)),
        heatmaps=params.heatmaps.model_dump(mode="json", include={"stride", "sigma", "sigma_space", "convention"}),
        training={"seed": params.seed, **settings.model_dump(mode="json")},
        package_version=__version__,
    )


def _fit(
    params: Params,
    card: ModelCard,
    network: ParsingNetwork,
    train_split: ParsingSamples,
    val_split: ParsingSamples,
    file: Path,
    log: Log,
    progress: Progress,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Weights after the last epoch, and what was logged of it."""
    settings, spec = params.train, card.input_spec
    fabric = build_fabric(settings.precision)
    model, optimizer = fabric.setup(network, build_optimizer(network, settings))
    state = load_state(file, network, optimizer)
    for entry in state.history:
        log(*entry)
    batches = EpochBatches(len(train_split), settings.batch_size, params.seed, train_split.read_together)
    data = TrainingData(train_split, spec, settings.augment, params.seed)
    loader = training_loader(data, batches, params.executor.loader_workers, pin=fabric.device.type == "cuda")
    total_steps = settings.epochs * len(batches)
    for epoch in range(state.epoch, settings.epochs):
        batches.epoch = epoch
        epoch_batches = iter(loader)
        # After the loader, which draws too: dropout depends on the seed and the epoch alone.
        torch.manual_seed(int(np.random.SeedSequence([params.seed, epoch]).generate_state(1)[0]))
        steps = range(epoch * len(batches), (epoch + 1) * len(batches))
        logged = train_one_epoch(
            fabric, model, optimizer, epoch_batches, params, spec, steps, total_steps,
            lambda done: progress(done, total_steps),
        )  # fmt: skip
        logged["lr"] = optimizer.param_groups[0]["lr"]
        if (epoch + 1) % settings.validate_every == 0 or epoch + 1 == settings.epochs:
            logged |= validate(
                CropParser(model, card, fabric.device), val_split, settings.batch_size, params.executor.loader_workers
            )
        for name, value in logged.items():
            log(name, value, epoch + 1)
        state.history += [(name, value, epoch + 1) for name, value in logged.items()]
        state.epoch, state.model, state.optimizer = epoch + 1, network.state_dict(), optimizer.state_dict()
        save_state(file, state)
    return network.state_dict(), state.last


def fresh_network(card: ModelCard, seed: int) -> ParsingNetwork:
    """The card's network with weights drawn from the seed.

    Raises:
        ParamsError: the backbone is unknown, an option's value does not fit, or the model cannot be fed that size.
    """
    torch.manual_seed(seed)
    try:
        network = model_of(card)
        network.check_input_size(card.input_spec.size)
    except ValueError as error:
        raise ParamsError(f"train: {error}") from error
    return network


def _begin_with(network: ParsingNetwork, file: Path, card: ModelCard) -> None:
    try:
        load_backbone(network, file, card.input_spec.order)
    except ValueError as error:
        raise ParamsError(f"train: {error}") from error


def validate(parser: CropParser, split: ParsingSamples, batch_size: int, workers: int) -> dict[str, float]:
    """Scores in percent of one look at every sample of a split, named val_<score>; undefined ones are left out."""
    parser.model.eval()
    scores = Scores(split.label_set, split.keypoint_set)
    data = JudgedData(split, parser.card.input_spec, (1.0,))
    for item, answer in parse_all(parser, judged_loader(data, batch_size, workers)):
        scores.update(item, answer)
    computed = scores.compute()["scores"]
    return {f"val_{name}": value for name, value in computed.items() if value is not None}
