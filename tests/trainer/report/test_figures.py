"""Figures of the page: published rows as printed, the confusion matrix, findings, joints per person."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.taxonomy import LABEL_SETS
from trainer.report.confusion import confusion_table
from trainer.report.findings import findings_table
from trainer.report.joints import joints_charts, joints_per_person
from trainer.report.published import LIP_IOU, PUBLISHED
from trainer.report.quality import Facts, flags
from trainer.report.result import headline, result_section

GOOD = Facts(worst_tenth=False, joints=16, joints_of=16, confidence=0.9, score=1.0, parts=8, ignored=0.0)


@pytest.mark.parametrize(("method", "mean"), [("CorrPM", 55.33), ("P", 48.67), ("CE2P", 53.10), ("JPPNet", 51.37)])
def test_published_rows_have_the_printed_mean(method, mean):
    """The paper prints each row's mean beside it: a digit typed wrong would show."""
    row = LIP_IOU[method]
    assert set(row) == set(LABEL_SETS["lip"].part_names)
    assert np.mean(list(row.values())) == pytest.approx(mean, abs=0.011)


def test_published_tables_are_whole_and_the_best_stands_last():
    for published in PUBLISHED.values():
        assert all(len(row) == len(published.columns) for _, row in published.rows)
        assert max(published.rows, key=lambda row: row[1][-1]) == published.rows[-1]


def test_the_confusion_matrix_shows_shares_and_marks_the_diagonal(inputs):
    made = confusion_table(inputs)
    assert re.findall(r'scope="col"><span>([^<]*)', made) == list(LABEL_SETS["lip"].part_names)
    assert '<td style="--share:70%" title="70.0 % of hat taken for hair">70</td>' in made
    assert '<td class="right" style="--share:30%" title="30.0 % of hat taken for hat">30</td>' in made
    assert made.count("<tr>") == 21


@pytest.mark.parametrize("text", ["", "{}", '[{"true": "a"}]', '[{"true": "a", "predicted": "b", "share": "x"}]'])
def test_a_damaged_confusion_matrix_is_named(inputs, text):
    path = inputs.evaluate_plots / "plots" / "custom" / "confusion.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"confusion\.json.*hpp evaluate"):
        confusion_table(inputs)


@pytest.mark.parametrize(("limit", "verdict"), [(None, "reported"), (5, "allowed"), (2, "fails")])
def test_findings_stand_beside_the_limit_in_force(inputs, limit, verdict):
    quality = inputs.params.quality.model_copy(update={"max_small_masks": limit})
    object.__setattr__(inputs, "params", inputs.params.model_copy(update={"quality": quality}))
    text = re.sub(r"<[^>]+>", " ", findings_table(inputs))
    assert re.search(
        rf"toy\s+people of hardly a labelled pixel\s+3\s+{limit if limit is not None else '–'}\s+{verdict}", text
    )


def test_joints_are_counted_person_by_person(inputs):
    shards = {f"{dataset} {split}": shards for dataset, split, shards in inputs.splits()}
    counts = joints_per_person(shards["crowd train"])
    assert counts.tolist() == [0] * 6 + [6] + [0] * 11
    assert "crowd train: 6.0 of 17 joints in the mean, 0 of 6 people without any" in joints_charts(inputs)


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({}, None),
        ({"worst_tenth": True}, "worst"),
        ({"joints": 7}, "joints"),
        ({"joints": 8}, None),
        ({"joints": None}, None),
        ({"confidence": 0.49}, "unsure"),
        ({"confidence": None}, None),
        ({"score": 0.79}, "person"),
        ({"parts": 2}, "parts"),
        ({"parts": None}, None),
        ({"ignored": 0.11}, "ignored"),
    ],
)
def test_flags_name_what_is_worth_a_second_look(change, flag):
    assert flags(Facts(**{**vars(GOOD), **change})) == ([] if flag is None else [flag])


@pytest.mark.parametrize(
    ("protocol", "score", "told"),
    [
        ("coco", "keypoint_ap", "keypoint AP, mean over OKS 0.5 to 0.95"),
        ("cihp", "apr_mean", "part AP, mean over IoU 0.1 to 0.9"),
        ("pascal", "multi_person_pose_ap", "mAP of joints"),
        ("lip", "a_new_score", "a new score"),
    ],
)
def test_each_protocol_tells_its_own_scores(inputs, protocol, score, told):
    path = inputs.metrics / "evaluate.json"
    judged = json.loads(path.read_text())
    judged["protocol"] |= {"name": protocol, "unit": "images"}
    judged |= {"scores": {"mean_iou": 44.5, score: 61.25}, "pckh": {}, "pose_ap": {"neck": 77.25}}
    path.write_text(json.dumps(judged))
    text = " ".join(re.sub(r"<[^>]+>", " ", result_section(inputs)).split())
    assert f"{told} 61.25" in text and "neck 77.25" in text and "14 images." in text
    assert ("Beside what was published" in text) == (protocol != "coco")
    top = " ".join(re.sub(r"<[^>]+>", " ", headline(inputs)).split())
    assert "mean IoU 44.5 %" in top and ("61.2 %" in top) == (protocol != "lip")
