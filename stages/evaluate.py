"""`hpp evaluate`: the benchmark's metrics of the trained parser."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from stages.context import Context, pass_context
from stages.exclusive import exclusive
from stages.plots import plots
from stages.results import table
from trainer.engine.device import build_fabric
from trainer.evaluate import evaluate as evaluate_parser
from trainer.plots import confusion_points, iou_points
from trainer.submission import submit


@click.command()
@click.option(
    "--submission",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the challenge's files into this new folder instead; the split needs no labels.",
)
@pass_context
@exclusive
def evaluate(context: Context, submission: Path | None) -> None:
    """Judge models/parser.pt on `evaluate.split` of `train.datasets`, write metrics, plots and predictions.

    `evaluate.protocol` says how: lip and atr judge each person's crop; cihp, pascal and coco put the people back and judge
    whole images.

    With --submission, metrics and predictions stay as they are, and DIR gets, at the images' own size:

    \b
    lip     parsing/<id>.png of part ids, and pose.csv: file name, then x, y of 16 joints
    cihp    global_parsing/<id>.png of part ids; instance_parsing/<id>.png of part
            instances and <id>.txt, whose line n is the class and score of instance n;
            zip both folders as mp_results.zip
    coco    keypoints_results.json in COCO's results form
    atr     <id>.png of part ids (there is no server)
    pascal  the same
    """
    paths = context.paths
    if submission is not None:
        with context.counted_progress("evaluate", "people") as progress:
            model = paths.model("parser.pt")
            images = submit(context.params, model, paths.shards, paths.images, submission, progress)
        context.say(f"{submission}: {images} images, as {context.params.evaluate.protocol} takes them")
        return
    # Where several processes share the work, each of them comes here by this same command.
    fabric = build_fabric("32-true", context.params.executor)
    run = partial(
        evaluate_parser,
        context.params,
        paths.model("parser.pt"),
        paths.shards,
        paths.images,
        paths.predictions,
        fabric=fabric,
    )
    if not fabric.is_global_zero:
        run()
        return
    with context.counted_progress("evaluate", "people") as progress:
        judged = run(progress)
    confusion = np.array(judged.pop("confusion"))
    context.write_metrics("evaluate", None, judged)
    _write_plots(context, judged, confusion)
    context.say(table(judged))


def _write_plots(context: Context, judged: dict[str, Any], confusion: np.ndarray) -> None:
    """IoU per class and the confusion matrix, as `dvc plots` and the report read them."""
    with plots(context, "evaluate") as live:
        points = iou_points(judged["iou"])
        live.log_plot("iou", points, x="iou", y="class", template="iou_per_class", title="IoU per class, %")
        matrix = confusion_points(confusion, list(judged["iou"]))
        live.log_plot("confusion", matrix, x="predicted", y="true", template="confusion_shares", title="Confusion")
