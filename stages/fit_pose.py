"""`hpp fit-pose`: the pose network in force, fitted or given, judged on the held-out split."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from pipeline.pose.base import PoseSettings
from pipeline.pose.loading import load_estimator
from pipeline.pose.weights import check_teacher, convert_weights, published
from pipeline.shards.read import open_shards
from stages.context import Context, pass_context
from stages.exclusive import exclusive
from stages.teacher import fit_folder, publish_teacher, start_file
from stages.weights import given_weights
from trainer.teachers.judge import judge_pose
from trainer.teachers.pose import fit_pose as fit


@click.command("fit-pose")
@pass_context
@exclusive
def fit_pose(context: Context) -> None:
    """Publish the pose estimator to models/pose.safetensors: `pose.weights` sample, fit, coco, or a file."""
    params, section = context.params, context.params.pose
    splits = ("train", "val") if section.weights == "fit" else ("val",)
    folder = fit_folder(context, "pose", section.fit.dataset, splits)
    target = context.paths.model("pose.safetensors")
    convert = partial(convert_weights, section.network)

    def make(path: Path) -> None:
        with context.counted_progress("fit-pose", "steps") as progress:
            fit(
                open_shards(folder / "train"),
                section.fit,
                params.seed,
                path,
                context.paths.scratch,
                lambda done, total, losses: progress(done, total),
                start=start_file("pose", section.fit.start, context.paths.scratch, partial(_given, context), convert),
                workers=params.executor.loader_workers,
            )

    sha256 = publish_teacher(
        "pose",
        section.weights,
        target,
        make,
        partial(check_teacher, section.network),
        partial(_given, context, "pose.weights", section.weights),
        convert,
    )
    estimator = load_estimator(target, PoseSettings(section.flip, section.decoding))
    judged = judge_pose(open_shards(folder / "val"), estimator)
    context.write_metrics("fit_pose", None, {"weights": section.weights, "sha256": sha256, "val": judged})
    context.say(
        f"fit-pose: {section.weights} weights; on held-out {section.fit.dataset}: OKS AP {100 * judged['oks_ap']:.1f} "
        f"for {judged['people']:.0f} people"
    )


def _given(context: Context, key: str, given: str) -> Path:
    """The file of weights that are neither the sample's nor fitted here.

    Args:
        key: the parameter that names them.
        given: coco, a file, or an address.
    """
    network = context.params.pose.network
    return given_weights(context, key, given, lambda: published(network), "hpp fit-pose")
