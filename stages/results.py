"""`hpp results`: the evaluation as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from pipeline.errors import DataError
from stages.context import Context, pass_context


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
    protocol, scores, constant = judged["protocol"], judged["scores"], judged["constant"]
    lines = [
        f"{', '.join(protocol['datasets'])} {protocol['split']}: {protocol['images']} people, protocol {protocol['name']}, "
        f"flip {'on' if protocol['flip'] else 'off'}, scales {', '.join(map(str, protocol['scales']))}",
        "",
        *(f"  {name.replace('_', ' '):<22}{_number(value):>7}" for name, value in scores.items()),
        f"  {'best constant mIoU':<22}{_number(constant['mean_iou']):>7}   (every pixel {constant['class']})",
        "",
        "  IoU per class",
    ]
    classes = list(judged["iou"].items())
    half = -(-len(classes) // 2)
    for row in range(half):
        pair = classes[row::half]
        lines.append("  " + "     ".join(f"{name:<16}{_number(value):>7}" for name, value in pair))
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
