"""`hpp report`: a page to look at."""

from __future__ import annotations

import click

from stages.context import Context, pass_context
from stages.exclusive import exclusive
from trainer.report import ReportInputs, build_report


@click.command()
@pass_context
@exclusive
def report(context: Context) -> None:
    """Write report/index.html: the run, its scores beside the published ones, label quality, samples, worst predictions."""
    paths = context.paths
    inputs = ReportInputs(
        params=context.params,
        shards=paths.shards,
        metrics=paths.root / "metrics",
        train_plots=paths.plots("train"),
        evaluate_plots=paths.plots("evaluate"),
        predictions=paths.predictions,
    )
    build_report(inputs, paths.report)
    context.say(f"report: {paths.report / 'index.html'}")
