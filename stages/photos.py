"""What predict and label share: the parser in force, and how photos that could not be used are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from pipeline.errors import DataError, ParamsError
from pipeline.shards.step import Finding
from stages.context import Context
from stages.crop import cut_rules
from stages.paths import TEACHERS
from trainer.photos import Parser, PhotoRules

_LISTED = 20
"""Rejects that are told one by one; all stand in rejects.jsonl."""


def load_parser(context: Context, weights: Path | None, detect: bool = True, int8: bool = False) -> Parser:
    """The parser of a model file, models/parser.pt unless given, with the teachers and the rules of params.yaml.

    Raises:
        DataError: a file is missing or damaged.
        ParamsError: the model cannot be fed at a scale, there is no such accelerator, it does not compute in 8 bits
            though `int8` is asked for, or people are to be looked for by annotation.
    """
    params = context.params
    if detect and params.detector.backend == "annotated":
        raise ParamsError(
            "detector.backend: annotated, but photos have no annotation. Set it to torchvision, or give crops with --no-detect"
        )
    rules = PhotoRules(
        cut=cut_rules(params),
        score=params.detector.score,
        mask_nms=params.detector.mask_nms,
        flip=params.evaluate.flip,
        scales=params.evaluate.scales,
        threads=params.train.threads,
    )
    detector = _teacher(context, "detector", params.detector.weights)
    pose = _teacher(context, "pose", params.pose.weights)
    try:
        model = weights or context.paths.model("parser.pt")
        return Parser.load(model, detector, pose, rules, params.executor.accelerator, int8)
    except ValueError as error:
        raise ParamsError(f"evaluate.scales: {error}") from error


def _teacher(context: Context, key: str, weights: str) -> Path:
    """The teacher in force: the published one, or where that was never published the committed one if it is meant."""
    published = context.paths.model(f"{key}.safetensors")
    return TEACHERS / published.name if weights == "sample" and not published.is_file() else published


def tell_rejects(rejects: Sequence[Finding], photos: int, rest: str) -> None:
    """List photos that could not be used.

    Args:
        rejects: of this run.
        photos: how many there were in all.
        rest: what became of the others.

    Raises:
        DataError: there are any.
    """
    for reject in rejects[:_LISTED]:
        click.echo(f"left out: {reject.reason}", err=True)
    if rejects:
        raise DataError(
            f"{len(rejects)} of {photos} photos could not be used: {', '.join(one.sample_id for one in rejects[:_LISTED])}"
            f"{' ...' if len(rejects) > _LISTED else ''}. {rest}"
        )
