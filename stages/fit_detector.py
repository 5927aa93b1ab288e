"""`hpp fit-detector`: the Mask R-CNN in force, fitted or given, judged on the held-out split."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from pipeline.detection.loading import load_detector
from pipeline.detection.weights import check_teacher, convert_weights, published
from pipeline.errors import ParamsError
from pipeline.params.teachers import PUBLISHED_DETECTORS, SAMPLE_DETECTOR
from pipeline.shards.read import open_shards
from stages.context import Context, pass_context
from stages.exclusive import exclusive
from stages.teacher import fit_folder, publish_teacher, start_file
from stages.weights import given_weights
from trainer.teachers.detector import fit_detector as fit
from trainer.teachers.judge import judge_detector


@click.command("fit-detector")
@pass_context
@exclusive
def fit_detector(context: Context) -> None:
    """Publish the person detector to models/detector.safetensors: `detector.weights` sample, fit, coco, or a file."""
    params, section = context.params, context.params.detector
    splits = ("train", "val") if section.weights == "fit" else ("val",)
    folder = fit_folder(context, "detector", section.fit.dataset, splits)
    target = context.paths.model("detector.safetensors")
    convert = partial(convert_weights, section.network)

    def make(path: Path) -> None:
        with context.counted_progress("fit-detector", "steps") as progress:
            fit(
                open_shards(folder / "train"),
                section.fit,
                params.seed,
                path,
                context.paths.scratch,
                lambda done, total, losses: progress(done, total),
                name=section.network,
                start=start_file(
                    "detector", section.fit.start, context.paths.scratch, partial(_given, context), convert
                ),
                workers=params.executor.loader_workers,
            )

    sha256 = publish_teacher(
        "detector",
        section.weights,
        target,
        make,
        partial(check_teacher, section.network),
        partial(_given, context, "detector.weights", section.weights),
        convert,
    )
    judged = judge_detector(open_shards(folder / "val"), load_detector(target), section.score, section.mask_nms)
    context.write_metrics("fit_detector", None, {"weights": section.weights, "sha256": sha256, "val": judged})
    context.say(
        f"fit-detector: {section.weights} weights; on held-out {section.fit.dataset}: mask AP {100 * judged['mask_ap']:.1f}, "
        f"{100 * judged['recall']:.0f} % of the large people found, {100 * judged['false_share']:.0f} % false"
    )


def _given(context: Context, key: str, given: str) -> Path:
    """The file of weights that are neither the sample's nor fitted here.

    Args:
        key: the parameter that names them.
        given: coco, a file, or an address.
    """
    network, command = context.params.detector.network, "hpp fit-detector"
    if given == "coco" and network == SAMPLE_DETECTOR:
        raise ParamsError(
            f"{key}: coco, but none are published for {network}. Set detector.network to {PUBLISHED_DETECTORS[0]}"
        )
    return given_weights(context, key, given, lambda: published(network), command)
