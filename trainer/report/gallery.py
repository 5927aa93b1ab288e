"""The report's gallery: its samples as sprite sheets and as the data that the page's script shows them by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from pipeline.taxonomy import label_set
from trainer.report.choice import Chosen, choose
from trainer.report.drawing import Drawing
from trainer.report.html import Html
from trainer.report.inputs import ReportInputs
from trainer.report.layers import TILE_HW
from trainer.report.predictions import open_predictions
from trainer.report.quality import FLAGS
from trainer.report.sheets import PER_SHEET, SheetGrid, write_sheet


def write_gallery(inputs: ReportInputs, folder: Path) -> dict[str, Any]:
    """Write the sheets into `folder`; what the page's script needs to show them.

    One sheet of samples at a time is in memory.

    Raises:
        DataError: shards or predictions are missing, damaged, or do not belong to each other.
    """
    predictions = open_predictions(inputs)
    splits = list(inputs.splits())
    protocol = inputs.metric("evaluate")["protocol"]
    judged_splits = [(dataset, protocol["split"]) for dataset in protocol["datasets"]]
    chosen = choose(splits, predictions, judged_splits, inputs.params.seed)
    drawing = Drawing(
        {(dataset, split): shards for dataset, split, shards in splits},
        predictions,
        label_set(inputs.params.train.label_set),
    )
    sheets: list[dict[str, Any]] = []
    samples: list[dict[str, Any]] = []
    for dataset, members in groupby(chosen, key=lambda one: one.dataset):
        for number, part in enumerate(_batches(members)):
            drawn = [drawing.draw(one) for one in part]
            name = f"{dataset}-{number:02d}"
            files = write_sheet(folder, name, [tiles for tiles, _ in drawn], drawing.palettes(part[0]))
            grid = SheetGrid(len(part))
            for index, (_, record) in enumerate(drawn):
                samples.append({**record, "sheet": len(sheets), "at": grid.position(index)})
            sheets.append({"files": files, "columns": grid.columns, "rows": grid.rows})
    counts = [{"set": dataset, "split": split, "samples": len(shards)} for dataset, split, shards in splits]
    return {
        "tile": [TILE_HW[1], TILE_HW[0]],
        "sheets": sheets,
        "samples": samples,
        "splits": counts,
        "flags": {flag: told for flag, (told, _) in FLAGS.items()},
        **drawing.legends(),
    }


def script_data(content: dict[str, Any]) -> Html:
    """JSON for a script element: no text in it can end the element."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return Html(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _batches(members: Iterator[Chosen]) -> Iterator[list[Chosen]]:
    while part := list(islice(members, PER_SHEET)):
        yield part
