"""The report's third section: the training curves, drawn as inline SVG."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

from pipeline.errors import DataError
from trainer.report.html import Html, element, section
from trainer.report.inputs import ReportInputs, read_input

Curve = list[tuple[float, float]]

WIDTH, HEIGHT = 320, 180
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 12, 26
"""Margins of the drawing area, in the SVG's units."""


def curves_section(inputs: ReportInputs) -> Html:
    """One small chart per logged value: losses first, then scores, then the rest, each group by name."""
    curves = read_curves(inputs.train_plots)
    charts = [chart(name, curves[name]) for name in sorted(curves, key=_place)]
    told = "Every value that training logged, by epoch; val_ is measured on the validation split."
    return section("curves", "Curves", element("p", told), element("div", *charts, class_="charts"))


def read_curves(folder: Path) -> dict[str, Curve]:
    """Name -> (step, value) pairs of the finite values that DVCLive logged under a folder.

    Raises:
        DataError: nothing was logged, or a file is no such table.
    """
    root = folder / "plots" / "metrics"
    files = sorted(root.rglob("*.tsv"))
    if not files:
        raise DataError(f"{root}: no curves (*.tsv) there. Run `hpp train` or `dvc repro` first")
    return {path.relative_to(root).with_suffix("").as_posix(): _read_curve(path) for path in files}


def _read_curve(path: Path) -> Curve:
    rows = list(csv.reader(io.StringIO(read_input(path, "hpp train").decode("utf-8")), delimiter="\t"))
    try:
        step = rows[0].index("step")
        points = [(float(row[step]), float(row[1 - step])) for row in rows[1:]]
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: no table of step and value ({error}). Run `hpp train` again") from error
    return [(x, y) for x, y in points if math.isfinite(y)]


def _place(name: str) -> tuple[int, str]:
    if name.startswith("loss"):
        return (0, name)
    return (1 if name.startswith("val_") else 2, name)


def chart(name: str, curve: Curve) -> Html:
    """A figure with one curve: its lowest and highest value and the ends of its steps marked, its last value told."""
    if not curve:
        return element("figure", element("figcaption", element("strong", name), " no finite value"))
    steps, values = [x for x, _ in curve], [y for _, y in curve]
    (x_low, x_high), (y_low, y_high) = _span(steps), _span(values)
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    points = [
        (LEFT + across * (x - x_low) / (x_high - x_low), TOP + down * (y_high - y) / (y_high - y_low)) for x, y in curve
    ]
    told = f"{name}: from {values[0]:.4g} at step {steps[0]:g} to {values[-1]:.4g} at step {steps[-1]:g}"
    drawing = element(
        "svg",
        element("title", told),
        *(_level(TOP + down * share, y_high - share * (y_high - y_low)) for share in (0, 0.5, 1)),
        *(_label(x, HEIGHT - 8, f"{step:g}", "middle") for x, step in {points[0][0]: steps[0], points[-1][0]: steps[-1]}.items()),
        element("polyline", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points)),
        element("circle", cx=f"{points[-1][0]:.1f}", cy=f"{points[-1][1]:.1f}", r=4),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=told,
    )  # fmt: skip
    return element("figure", element("figcaption", element("strong", name), f" {values[-1]:.4g}"), drawing)


def _span(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _level(y: float, value: float) -> Html:
    line = element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}")
    return Html(line + _label(LEFT - 6, y + 4, f"{value:.3g}", "end"))


def _label(x: float, y: float, text: str, anchor: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)
