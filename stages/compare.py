"""`hpp compare`: two evaluations side by side."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import click
from pydantic import BaseModel, Field, ValidationError

from pipeline.errors import DataError
from pipeline.taxonomy import LABEL_SETS
from stages.context import Context, pass_context
from stages.results import SCORES, in_order
from trainer.compare import Row
from trainer.compare import compare as compare_evaluations

_TITLES = {"scores": "score", "iou": "IoU", "pckh": "PCKh", "pose_ap": "AP of joints"}
_PLACES = ("metrics/evaluate.json", "evaluate.json")


@click.command()
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@pass_context
def compare(context: Context, a: Path, b: Path) -> None:
    """Set two evaluations side by side: scores of A, of B, and B less A, in percent.

    A and B are metrics files of `hpp evaluate`, or project folders that hold one (metrics/evaluate.json). Evaluations of other
    images or labels, or with other rules (protocol, flip, scales, ...), are refused: their scores say nothing of each other.
    """
    first, second = (read_evaluation(path) for path in (a, b))
    rows = compare_evaluations(first, second)
    protocol = first["protocol"]
    judged = (
        f"{', '.join(protocol['datasets'])} {protocol['split']}, {protocol['images']} {protocol.get('unit', 'people')}"
    )
    click.echo(f"{judged}, protocol {protocol['name']}\nA: {a}\nB: {b}")
    sizes = ["x".join(map(str, one["protocol"]["input_size"])) for one in (first, second)]
    if sizes[0] != sizes[1]:
        click.echo(f"fed at {sizes[0]} and {sizes[1]} pixels (height x width)")
    known = LABEL_SETS.get(protocol["label_set"])
    names = {"scores": SCORES, "iou": known.part_names if known else ()}
    for table, group in groupby(rows, key=lambda row: row.table):
        click.echo(f"\n{_TITLES[table]:<24}{'A':>8}{'B':>8}{'B - A':>9}")
        for row in in_order({row.name: row for row in group}, names.get(table, ())).values():
            click.echo(_line(row))


def read_evaluation(path: Path) -> dict[str, Any]:
    """What `hpp evaluate` wrote: the file, or the one that the folder holds.

    Raises:
        DataError: there is none, it is no JSON, or not of that form.
    """
    file = path
    if path.is_dir():
        file = next((path / place for place in _PLACES if (path / place).is_file()), path / _PLACES[0])
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{file}: not found. Run `hpp evaluate` there, or name another file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: no readable JSON ({error}). Give a metrics/evaluate.json") from error
    if not isinstance(content, dict) or not {"protocol", "scores"} <= set(content):
        raise DataError(f"{file}: no protocol and scores in it, expected what `hpp evaluate` writes")
    try:
        _Evaluation.model_validate(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{file}: {place}: {first['msg']}. Expected what `hpp evaluate` writes") from error
    return content


_Scores = dict[str, Annotated[float, Field(ge=-1000, le=1000)] | None]
"""Percent, or a figure of that size."""


class _Protocol(BaseModel):
    """What is told of how it was judged; all else is only compared."""

    name: str
    datasets: list[str]
    split: str
    images: int
    input_size: list[int]
    label_set: str


class _Evaluation(BaseModel):
    """What is read of an evaluation."""

    protocol: _Protocol
    scores: _Scores
    iou: _Scores = {}
    pckh: _Scores = {}
    pose_ap: _Scores = {}


def _line(row: Row) -> str:
    difference = "-" if row.difference is None else f"{row.difference:+.2f}"
    return f"{row.name.replace('_', ' '):<24}{_number(row.first):>8}{_number(row.second):>8}{difference:>9}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
