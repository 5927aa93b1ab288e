"""`hpp fit-detector`: the Mask R-CNN in force, fitted or given, judged on the held-out split."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.detection.loading import load_detector
from pipeline.shards.read import open_shards
from stages.context import Context, pass_context
from stages.teacher import publish_teacher
from trainer.teachers.detector import fit_detector as fit
from trainer.teachers.judge import judge_detector


@click.command("fit-detector")
@pass_context
def fit_detector(context: Context) -> None:
    """Publish the person detector to models/detector.safetensors: `detector.weights` sample, fit, or a file."""
    params, section = context.params, context.params.detector
    folder = context.paths.stage("ingest", section.fit.dataset)
    target = context.paths.model("detector.safetensors")

    def make(path: Path) -> None:
        with context.progress("fit-detector", section.fit.steps, "steps") as progress:
            fit(
                open_shards(folder / "train"),
                section.fit,
                params.seed,
                path,
                context.paths.scratch,
                lambda done, total, losses: progress(1),
            )

    sha256 = publish_teacher("detector", section.weights, target, make, load_detector)
    judged = judge_detector(open_shards(folder / "val"), load_detector(target), section.score, section.mask_nms)
    context.write_metrics("fit_detector", None, {"weights": section.weights, "sha256": sha256, "val": judged})
    context.say(
        f"fit-detector: {section.weights} weights; on held-out {section.fit.dataset}: mask AP {100 * judged['mask_ap']:.1f}, "
        f"{100 * judged['recall']:.0f} % of the large people found, {100 * judged['false_share']:.0f} % false"
    )
