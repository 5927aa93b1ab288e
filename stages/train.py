"""`hpp train`: a parser from the shards, with its curves."""

from __future__ import annotations

import click
from dvclive import Live

from stages.context import Context, pass_context
from trainer.engine.training import train as train_parser


@click.command()
@pass_context
def train(context: Context) -> None:
    """Train the parser of params.yaml's `train` on the shards of `train.datasets`; goes on where a killed run stopped."""
    paths, settings = context.paths, context.params.train
    curves = paths.plots("train")
    with Live(str(curves), dvcyaml=None, save_dvc_exp=False, report=None) as live:

        def log(name: str, value: float, epoch: int) -> None:
            live.step = epoch
            live.log_metric(name, value)

        with context.counted_progress("train", "steps") as progress:
            last = train_parser(
                context.params, paths.shards, paths.model("parser.pt"), paths.scratch / "train", log, progress
            )
    context.write_metrics("train", None, {"model": settings.model, "epochs": settings.epochs, **last})
    shown = ", ".join(f"{name} {value:.3f}" for name, value in sorted(last.items()) if name in _SHOWN)
    context.say(f"train: {settings.model} for {settings.epochs} epochs; {shown}")


_SHOWN = ("loss", "val_mean_iou", "val_pckh_mean")
