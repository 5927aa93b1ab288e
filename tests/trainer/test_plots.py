"""Tables of the plots: by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from dvc_render.vega import VegaRenderer

from trainer.plots import confusion_points, iou_points

ROOT = Path(__file__).resolve().parents[2]
PLOTS = {
    name: plot for entry in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"] for name, plot in entry.items()
}


def test_shares_are_of_the_true_class_and_the_diagonal_tells_the_order():
    points = confusion_points(np.array([[3, 1, 0], [0, 0, 0], [0, 5, 5]]), ["a", "b", "c"])
    assert points == [
        {"true": "a", "predicted": "a", "pixels": 3, "share": 75.0},
        {"true": "b", "predicted": "b", "pixels": 0, "share": 0.0},
        {"true": "c", "predicted": "c", "pixels": 5, "share": 50.0},
        {"true": "a", "predicted": "b", "pixels": 1, "share": 25.0},
        {"true": "c", "predicted": "b", "pixels": 5, "share": 50.0},
    ]


def test_a_matrix_of_other_classes_is_an_error():
    with pytest.raises(ValueError, match=r"shape \(2, 2\), expected \(3, 3\)"):
        confusion_points(np.eye(2), ["a", "b", "c"])


def test_a_class_without_iou_has_no_point():
    assert iou_points({"a": 12.5, "b": None, "c": 0.0}) == [{"class": "a", "iou": 12.5}, {"class": "c", "iou": 0.0}]


@pytest.mark.parametrize("name", PLOTS)
def test_every_plot_of_dvc_yaml_fills_its_template(name):
    """As `dvc plots show` does it: the datapoints of several revisions and files, every anchor of the template replaced."""
    plot = PLOTS[name]
    tables = {
        "iou": iou_points({"hat": 12.5, "hair": 50.0}),
        "confusion": confusion_points(np.array([[3, 1], [0, 4]]), ["hat", "hair"]),
    }
    points, told = [], []
    for file, column in plot["y"].items():
        rows = tables.get(Path(file).stem) or [{"step": 1, column: 2.0}, {"step": 2, column: 1.0}]
        told.append({"filename": file, "field": column})
        points += [
            {**row, "filename": file, "field": column, "rev": rev} for rev in ("HEAD", "workspace") for row in rows
        ]
    y = column if len(told) == 1 else "dvc_inferred_y_value"
    points = [{**point, y: point[point["field"]]} for point in points]
    names = {key: plot[key] for key in ("x", "title", "x_label", "y_label") if key in plot}
    properties = {**names, "y": y, "anchors_y_definitions": told, "revs_with_datapoints": ["HEAD", "workspace"]}
    made = VegaRenderer(points, name, template=plot["template"], template_dir=str(ROOT / ".dvc/plots"), **properties)
    filled = made.get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(filled)
    assert len(filled["data"]["values"]) == len(points)
