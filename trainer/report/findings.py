"""What the quality gate found in each data set, beside the limits that were in force."""

from __future__ import annotations

from pipeline.quality.checks import CHECKS
from trainer.report.html import Html, number, table
from trainer.report.inputs import ReportInputs


def findings_table(inputs: ReportInputs) -> Html:
    """A row per data set and check that found something; one that says so for a data set without findings."""
    rows = [row for dataset in inputs.params.datasets for row in _rows(inputs, dataset)]
    caption = "Findings of the quality gate. A finding is allowed within its limit; without a limit it is only reported"
    return table(caption, ["data set", "finding", "found", "limit", "verdict"], rows, words=(0, 1, 4))


def _rows(inputs: ReportInputs, dataset: str) -> list[list[str]]:
    found = inputs.metric("ingest", dataset).get("findings", {})
    limits = inputs.params.limits(dataset)
    rows = []
    for name, check in CHECKS.items():
        if found.get(name):
            limit: int | None = getattr(limits, check.limit)
            rows.append([dataset, check.found, number(found[name]), number(limit), _verdict(found[name], limit)])
    return rows or [[dataset, f"none in {len(found)} checks", "0", "", "ok"]]


def _verdict(found: int, limit: int | None) -> str:
    if limit is None:
        return "reported"
    return "allowed" if found <= limit else "fails"
