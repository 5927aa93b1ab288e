"""The confusion matrix as a table that can be read, searched and copied."""

from __future__ import annotations

import json
from typing import Any

from pipeline.errors import DataError
from trainer.report.html import Html, element, join
from trainer.report.inputs import ReportInputs, read_input

_SHOWN = 0.5
"""Percent of the true class from which on a share is written out."""


def confusion_table(inputs: ReportInputs) -> Html:
    """Rows of true classes, columns of predicted ones, in percent of the row; as `evaluate` plotted it.

    Raises:
        DataError: the plot's file is missing or damaged.
    """
    names, shares = _read(inputs)
    told = "Confusion matrix: each row is a true class, each column a predicted one, in percent of the row's pixels"
    head = [element("th", element("span", name), scope="col") for name in names]
    rows = [
        element("tr", element("th", true, scope="row"), *(_cell(shares.get((true, name), 0.0), true, name) for name in names))
        for true in names
    ]  # fmt: skip
    whole = element(
        "table",
        element("caption", element("span", f"{told}. The diagonal is recall.")),
        element("thead", element("tr", element("td"), *head)),
        element("tbody", join(rows)),
        class_="confusion",
    )
    return element("div", whole, class_="scroll", role="region", aria_label="Confusion matrix", tabindex=0)


def _cell(share: float, true: str, predicted: str) -> Html:
    if share < _SHOWN:
        return element("td", class_="right" if true == predicted else None)
    return element(
        "td",
        f"{share:.0f}",
        class_="right" if true == predicted else None,
        style=f"--share:{share:.0f}%",
        title=f"{share:.1f} % of {true} taken for {predicted}",
    )


def _read(inputs: ReportInputs) -> tuple[list[str], dict[tuple[str, str], float]]:
    path = inputs.evaluate_plots / "plots" / "custom" / "confusion.json"
    try:
        points: list[dict[str, Any]] = json.loads(read_input(path, "hpp evaluate"))
        shares = {(point["true"], point["predicted"]): float(point["share"]) for point in points}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: no confusion matrix ({error!r}). Run `hpp evaluate` again") from error
    if not shares:
        raise DataError(f"{path}: no confusion matrix (no pair of classes). Run `hpp evaluate` again")
    return list(dict.fromkeys(true for true, _ in shares)), shares
