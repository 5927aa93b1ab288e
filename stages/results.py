"""`hpp results`: the evaluation as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import click

from pipeline.errors import DataError
from pipeline.taxonomy import LABEL_SETS
from stages.context import Context, pass_context

SCORES = ("pixel_accuracy", "mean_accuracy", "mean_iou", "foreground_accuracy", "precision", "recall", "f1")

_Value = TypeVar("_Value")


@click.command()
@pass_context
def results(context: Context) -> None:
    """Print the last evaluation as a table."""
    path = context.paths.metrics("evaluate")
    if not path.is_file():
        raise DataError(f"{path}: not found. Run `hpp evaluate` or `dvc repro` first")
    click.echo(table(json.loads(path.read_text(encoding="utf-8"))))


def table(judged: Mapping[str, Any]) -> str:
    """The scores, the best constant answer beside them, and the IoU of every class, as text."""
    protocol, constant = judged["protocol"], judged["constant"]
    scores = in_order(judged["scores"], SCORES)
    lines = [
        f"{', '.join(protocol['datasets'])} {protocol['split']}: {protocol['images']} {protocol.get('unit', 'people')}, protocol {protocol['name']}, "
        f"flip {'on' if protocol['flip'] else 'off'}, scales {', '.join(map(str, protocol['scales']))}",
        "",
        *(f"  {name.replace('_', ' '):<22}{_number(value):>7}" for name, value in scores.items()),
        f"  {'best constant mIoU':<22}{_number(constant['mean_iou']):>7}   (every pixel {constant['class']})",
        "",
        "  IoU per class",
    ]
    known = LABEL_SETS.get(protocol["label_set"])
    classes = list(in_order(judged["iou"], known.part_names if known else ()).items())
    half = -(-len(classes) // 2)
    for row in range(half):
        pair = classes[row::half]
        lines.append("  " + "     ".join(f"{name:<16}{_number(value):>7}" for name, value in pair))
    return "\n".join(lines)


def in_order(values: Mapping[str, _Value], names: Sequence[str]) -> dict[str, _Value]:
    """The values in the order of `names`, the others behind them: a metrics file is sorted by the alphabet."""
    first = {name: values[name] for name in names if name in values}
    return {**first, **values}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
