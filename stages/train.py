"""`hpp train`: a parser from the shards, with its curves."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import torch

from pipeline.errors import ParamsError
from pipeline.shards.manifest import sha256_of
from pipeline.sources.files import RemoteFile
from stages.context import Context, pass_context
from stages.exclusive import exclusive
from stages.plots import plots
from stages.training_line import training_line
from stages.weights import published_file, weights_file
from trainer.engine.device import build_fabric, peak_memory
from trainer.engine.training import fresh_network, make_card
from trainer.engine.training import train as train_parser
from trainer.models.pretrained import published_weights


@click.command()
@pass_context
@exclusive
def train(context: Context) -> None:
    """Train the parser of params.yaml's `train` on the shards of `train.datasets`; goes on where a killed run stopped."""
    paths, settings = context.paths, context.params.train
    # Where several processes share the work, each of them comes here by this same command.
    fabric = build_fabric(settings.precision, context.params.executor)
    with fabric.rank_zero_first():
        backbone = _backbone_weights(context)
    run = partial(
        train_parser,
        context.params,
        paths.shards,
        paths.model("parser.pt"),
        paths.scratch / "train",
        backbone_file=backbone,
        fabric=fabric,
    )
    if not fabric.is_global_zero:
        run()
        return
    with plots(context, "train") as live:

        def log(name: str, value: float, epoch: int) -> None:
            live.step = epoch
            live.log_metric(name, value)

        with training_line(context, settings.batch_size, partial(peak_memory, fabric.device)) as progress:
            last = run(log=log, progress=progress)
    begun = {} if backbone is None else {"backbone_weights": {"file": backbone.name, "sha256": sha256_of(backbone)}}
    context.write_metrics("train", None, {"model": settings.model, "epochs": settings.epochs, **begun, **last})
    shown = ", ".join(f"{name} {value:.3f}" for name, value in sorted(last.items()) if name in _SHOWN)
    context.say(f"train: {settings.model} for {settings.epochs} epochs; {shown}")


def _backbone_weights(context: Context) -> Path | None:
    """The file that `train.backbone_weights` means, downloaded where it lies somewhere else."""
    given = context.params.train.backbone_weights
    if given != "imagenet":
        return None if given is None else weights_file(context, KEY, given, "hpp train")
    with torch.device("meta"):
        network = fresh_network(make_card(context.params), context.params.seed)
    try:
        published = published_weights(network)
    except ValueError as error:
        raise ParamsError(f"train: {error}") from error
    checksums = {"sha256": published.sha256_start} if published.sha256_start else {}
    file = RemoteFile(published.name, (published.url,), None, checksums)
    return published_file(context, KEY, file, "hpp train")


KEY = "train.backbone_weights"

_SHOWN = ("loss", "val_mean_iou", "val_pckh_mean")
