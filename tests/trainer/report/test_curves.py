"""Curves: what was logged is what is drawn."""

from __future__ import annotations

import re

import pytest

from pipeline.errors import DataError
from trainer.report.curves import HEIGHT, WIDTH, chart, read_curves


def test_values_that_are_not_finite_are_left_out(inputs):
    assert read_curves(inputs.train_plots) == {"loss": [(1, 2.0), (3, 0.5)], "val_mean_iou": [(3, 21.75)]}


def test_columns_may_stand_in_either_order(tmp_path):
    folder = tmp_path / "plots" / "metrics" / "group"
    folder.mkdir(parents=True)
    (folder / "lr.tsv").write_text("lr\tstep\n0.5\t1\n")
    assert read_curves(tmp_path) == {"group/lr": [(1, 0.5)]}


@pytest.mark.parametrize("text", ["", "a\tb\n1\t2\n", "step\tloss\n1\n", "step\tloss\n1\tx\n"])
def test_a_damaged_table_is_named(tmp_path, text):
    folder = tmp_path / "plots" / "metrics"
    folder.mkdir(parents=True)
    (folder / "loss.tsv").write_text(text)
    with pytest.raises(DataError, match=r"loss\.tsv.*hpp train"):
        read_curves(tmp_path)


@pytest.mark.parametrize(
    "curve", [[(1, 2.0), (2, 1.0), (3, 5.0)], [(1, 2.0)], [(1, 0.0), (2, 0.0)], [(0, -1e9), (9, 1e9)]]
)
def test_a_curve_stays_inside_its_drawing(curve):
    points = re.search(r'points="([^"]*)"', chart("loss", curve)).group(1)
    places = [tuple(map(float, point.split(","))) for point in points.split()]
    assert len(places) == len(curve)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert [x for x, _ in places] == sorted(x for x, _ in places)


def test_higher_values_are_drawn_higher():
    points = re.search(r'points="([^"]*)"', chart("loss", [(1, 1.0), (2, 3.0)])).group(1).split()
    assert float(points[1].split(",")[1]) < float(points[0].split(",")[1])


def test_a_curve_without_values_says_so():
    assert "no finite value" in chart("loss", [])
