"""Two evaluations side by side, or refused."""

from __future__ import annotations

import copy
import json

import pytest
from click.testing import CliRunner

from pipeline.errors import DataError, ParamsError
from stages.cli import main
from trainer.compare import Row, compare

JUDGED = {
    "protocol": {
        "name": "lip", "datasets": ["lip"], "split": "val", "split_sha256": "aa", "truth_sha256": "bb", "images": 120,
        "unit": "people", "label_set": "lip", "input_size": [160, 96], "flip": False, "scales": [1.0], "absent": "skip",
    },
    "scores": {"mean_iou": 22.5, "pixel_accuracy": 75.0, "pckh_mean": 50.0},
    "iou": {"background": 85.0, "hat": None},
    "pckh": {"neck": 98.0},
}  # fmt: skip


def changed(**protocol) -> dict:
    judged = copy.deepcopy(JUDGED)
    judged["protocol"].update(protocol)
    return judged


def test_scores_and_their_differences():
    other = changed(input_size=[384, 384])
    other["scores"] = {"mean_iou": 24.0, "pixel_accuracy": 74.5}
    other["iou"] = {"background": 86.0, "hat": 3.0}
    rows = {(row.table, row.name): row for row in compare(JUDGED, other)}
    assert rows["scores", "mean_iou"] == Row("scores", "mean_iou", 22.5, 24.0)
    assert rows["scores", "mean_iou"].difference == 1.5
    assert rows["scores", "pckh_mean"].second is None and rows["scores", "pckh_mean"].difference is None
    assert rows["iou", "hat"].first is None and rows["iou", "hat"].difference is None
    assert next(iter(rows)) == ("scores", "mean_iou") and ("pckh", "neck") in rows


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flip", True),
        ("scales", [0.75, 1.0]),
        ("name", "atr"),
        ("images", 119),
        ("split", "test"),
        ("truth_sha256", "cc"),
        ("label_set", "cihp"),
        ("absent", "zero"),
        ("averaging", "per image"),
    ],
)
def test_unlike_protocols_are_refused_by_name(field, value):
    with pytest.raises(ParamsError, match=rf"the protocols differ.*: {field} is .*\. Evaluate both alike"):
        compare(JUDGED, changed(**{field: value}))


def test_equal_labels_are_equal_data_whoever_cut_the_people_out():
    assert compare(JUDGED, changed(split_sha256="dd"))
    without = changed(split_sha256="dd")
    del without["protocol"]["truth_sha256"]
    with pytest.raises(ParamsError, match=r"split_sha256 is 'aa' and 'dd'; truth_sha256 is 'bb' and None"):
        compare(JUDGED, without)


def test_what_is_no_evaluation_is_named():
    with pytest.raises(DataError, match="the second file: no protocol and scores in it"):
        compare(JUDGED, {"loss": 1.0})


def hpp(*arguments) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["compare", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_takes_files_and_folders(tmp_path):
    (tmp_path / "a/metrics").mkdir(parents=True)
    (tmp_path / "a/metrics/evaluate.json").write_text(json.dumps(JUDGED))
    better = changed(input_size=[384, 384])
    better["scores"]["mean_iou"] = 24.0
    (tmp_path / "b.json").write_text(json.dumps(better))
    code, out, _ = hpp(tmp_path / "a", tmp_path / "b.json")
    assert code == 0 and "lip val, 120 people, protocol lip" in out and "fed at 160x96 and 384x384 pixels" in out
    assert [line.split() for line in out.splitlines() if line.startswith("mean iou")] == [
        ["mean", "iou", "22.50", "24.00", "+1.50"]
    ]
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("hat")] == ["-"]
    assert out.index("pixel accuracy") < out.index("mean iou") < out.index("pckh mean") < out.index("background")


def test_the_command_s_refusals_are_one_line(tmp_path):
    for name, content in (("a.json", JUDGED), ("b.json", changed(flip=True)), ("c.json", [1])):
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "d.json").write_text("{")
    (tmp_path / "f.json").write_text(json.dumps(changed(datasets="lip")))
    (tmp_path / "g.json").write_text(json.dumps({**JUDGED, "iou": {"hat": "much"}}))
    for other, told in (
        ("b.json", "flip is False and True"),
        ("c.json", "c.json: no protocol and scores in it"),
        ("d.json", "d.json: no readable JSON"),
        ("f.json", "f.json: protocol.datasets: Input should be a valid list. Expected what `hpp evaluate` writes"),
        ("g.json", "g.json: iou.hat: Input should be a valid number"),
        ("e", "e: not found. Run `hpp evaluate` there"),
    ):
        code, _, error = hpp(tmp_path / "a.json", tmp_path / other)
        assert code == 2 and told in error and error.count("\n") == 1
    (tmp_path / "empty").mkdir()
    assert "empty/metrics/evaluate.json: not found" in hpp(tmp_path / "a.json", tmp_path / "empty")[2]
