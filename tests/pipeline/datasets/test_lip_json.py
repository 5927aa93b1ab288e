import json

import numpy as np
import pytest

from pipeline.datasets.layout import read_item
from pipeline.datasets.lip import lip_items
from pipeline.datasets.lip_json import parse_pose_json
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from tests import builders

POINTS = [[3, 4]] + [[0, 0]] * 14 + [[7.5, 0]]
FORMS = {
    "MuLA": {"root": [{"im_name": "1_2.jpg", "joints": [[*point, 1] for point in POINTS], "objpos": [1, 2]}]},
    "CorrPM": {"root": [{"im_name": "1_2.jpg", "joint_self": POINTS}]},
    "a bare list": [{"im_name": "1_2.jpg", "joint_self": POINTS}],
}


@pytest.mark.parametrize("form", FORMS)
def test_both_forms_give_the_same_joints(form):
    (row,) = parse_pose_json(json.dumps(FORMS[form]), "x").values()
    joints = np.array(row).reshape(16, 3)
    assert joints[0].tolist() == [3, 4, 2] and joints[15].tolist() == [7.5, 0, 2] and not joints[1:15].any()


def test_joints_of_the_json_reach_the_records_where_there_is_no_csv(tmp_path):
    mask = builders.png(np.zeros((12, 8)))
    builders.write_lip(tmp_path, {"1_2": builders.jpeg(), "3_4": builders.jpeg()}, {"1_2": mask, "3_4": mask})
    builders.write_zip(tmp_path / "p.zip", [("LIP_SP_TRAIN_annotations.json", json.dumps(FORMS["MuLA"]).encode())])
    archives = Archives(tmp_path)
    first, second = (
        read_item(archives, one, "lip", "train", LABEL_SETS["lip"]) for one in lip_items(archives, "train")
    )
    assert first.people.keypoints[0, 0].tolist() == [3, 4, 2] and not second.people.keypoints.any()


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "no readable JSON"),
        ('{"boxes": []}', "holds dict without a list `root`"),
        ('[{"joints": []}]', "item 0: has no im_name"),
        ('[{"im_name": "a.jpg"}]', r"item 0 \(a\): has neither `joints` nor `joint_self`"),
        ('[{"im_name": "a.jpg", "joints": [[1, 2]]}]', "expected 16 joints of x, y"),
        (json.dumps([{"im_name": "a.jpg", "joints": [["x", 1]] * 16}]), "expected 16 joints of x, y"),
        (json.dumps([{"im_name": "a.jpg", "joints": [[1, 1]] * 16}] * 2), "item 1: 'a' stands there twice"),
    ],
)
def test_a_broken_json_is_named(text, message):
    with pytest.raises(DataError, match=f"^poses: no|^poses.*{message}"):
        parse_pose_json(text, "poses")
