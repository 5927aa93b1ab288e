"""`hpp evaluate`: the benchmark's metrics of the trained parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np
from dvclive import Live

from stages.context import Context, pass_context
from stages.results import table
from trainer.evaluate import evaluate as evaluate_parser
from trainer.plots import confusion_points, iou_points


@click.command()
@pass_context
def evaluate(context: Context) -> None:
    """Judge models/parser.pt on `evaluate.split` of `train.datasets`, write metrics, plots and predictions."""
    paths = context.paths
    with context.counted_progress("evaluate", "samples") as progress:
        judged = evaluate_parser(context.params, paths.model("parser.pt"), paths.shards, paths.predictions, progress)
    confusion = np.array(judged.pop("confusion"))
    context.write_metrics("evaluate", None, judged)
    _write_plots(paths.plots("evaluate"), judged, confusion)
    context.say(table(judged))


def _write_plots(folder: Path, judged: dict[str, Any], confusion: np.ndarray) -> None:
    """IoU per class and the confusion matrix, as `dvc plots` and the report read them."""
    with Live(str(folder), dvcyaml=None, save_dvc_exp=False, report=None) as live:
        points = iou_points(judged["iou"])
        live.log_plot("iou", points, x="iou", y="class", template="iou_per_class", title="IoU per class, %")
        matrix = confusion_points(confusion, list(judged["iou"]))
        live.log_plot("confusion", matrix, x="predicted", y="true", template="confusion_shares", title="Confusion")
