"""Training from shards to a model file."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning_fabric import Fabric

from pipeline import taxonomy
from pipeline.errors import ParamsError
from pipeline.params import Params
from trainer import __version__
from trainer.callbacks import Log, StepProgress, no_log, no_step_progress
from trainer.checkpoints import ModelCard, read_model, write_model
from trainer.data.samples import ParsingSamples
from trainer.engine.device import build_fabric, repeatable
from trainer.engine.fit import Fit
from trainer.engine.resume import Checkpoints, run_folder
from trainer.input_spec import input_spec
from trainer.models import ParsingNetwork, model_feeding, model_of, model_options
from trainer.models.corrpm import without_unweighted
from trainer.models.pretrained import load_backbone


def train(
    params: Params,
    shards_root: Path,
    out: Path,
    scratch: Path,
    log: Log = no_log,
    progress: StepProgress = no_step_progress,
    backbone_file: Path | None = None,
    fabric: Fabric | None = None,
) -> dict[str, float]:
    """Train the parser of `params.train` and write its model file; goes on where a killed run stopped.

    Args:
        params: the sections seed, train, heatmaps and edges decide the result, executor only where and how fast.
        shards_root: holds <dataset>/train and <dataset>/val of each of `train.datasets`.
        out: the model file; written at the end, equal bytes for equal parameters and shards on one type of machine.
        scratch: folder for the checkpoints of an unfinished run.
        log: told the losses, the rate and the validation scores of every epoch.
        progress: told of every step.
        backbone_file: the weights that the backbone begins with; random ones where there is none.
        fabric: this process's device and its fellows, built by `build_fabric`; None builds it here.

    Returns:
        The logged values of the epoch whose weights are published, and published_epoch where that is the best.

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
    devices = build_fabric(settings.precision, params.executor) if fabric is None else fabric
    folder = run_folder(scratch, params, [train_split, val_split], card.package_version, backbone_file)
    checkpoints = Checkpoints(folder, params.executor.keep_last)
    if not devices.is_global_zero:
        log, progress = no_log, no_step_progress
    with repeatable(settings.threads):
        network = fresh_network(card, params.seed)
        if backbone_file is not None:
            _begin_with(network, backbone_file, card)
        fit = Fit(devices, params, card, network, train_split, val_split, checkpoints, log, progress)
        fit.run()
    best = settings.publish == "best"
    if devices.is_global_zero:
        write_model(out, card, read_model(checkpoints.best)[1] if best else fit.weights)
        checkpoints.remove()
    published = fit.state.best_epoch if best else settings.epochs
    return {**fit.state.logged(published), **({"published_epoch": published} if best else {})}


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
    if settings.centroids and "centroids" not in accepted:
        raise ParamsError(
            f"train.centroids: true, yet model {name!r} has no such branch; those of MuLA with two networks have it"
        )
    options = {
        "backbone": settings.backbone,
        "channels": settings.channels,
        "dilations": list(settings.dilations),
    }
    label_set, keypoint_set = taxonomy.label_set(settings.label_set), taxonomy.keypoint_set(settings.keypoint_set)
    return ModelCard(
        model=name,
        variant=settings.variant,
        options={key: value for key, value in options.items() if key in accepted}
        | ({"centroids": True} if settings.centroids else {}),
        label_set=label_set.name,
        part_names=label_set.part_names,
        keypoint_set=keypoint_set.name,
        keypoint_names=keypoint_set.keypoint_names,
        input_spec=input_spec(settings.variant, settings.input_size, model_feeding(name)),
        heatmaps=params.heatmaps.model_dump(mode="json", include={"stride", "sigma", "sigma_space", "convention"}),
        training={"seed": params.seed, **settings.model_dump(mode="json")},
        package_version=__version__,
    )


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
