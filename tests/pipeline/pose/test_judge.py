"""PCKh of COCO's joints against LIP's, by hand."""

import math

import numpy as np
import pytest

from pipeline.pose import pckh_shared
from pipeline.taxonomy import KEYPOINT_SETS

COCO, LIP = KEYPOINT_SETS["coco17"].keypoint_names, KEYPOINT_SETS["lip16"].keypoint_names


def annotated() -> np.ndarray:
    """One person, every joint at its own place, head size 10."""
    truth = np.stack([np.arange(16) * 20.0, np.arange(16) * 3.0, np.full(16, 2.0)], axis=1)
    truth[LIP.index("neck"), :2] = 0, 0
    truth[LIP.index("head-top"), :2] = 6, 8
    return truth[None]


def predicted(truth: np.ndarray, **moved: float) -> np.ndarray:
    """The annotated joints that COCO has, some of them moved to the right; the face anywhere."""
    pred = np.full((len(truth), 17, 3), 1.0)
    for place, name in enumerate(COCO):
        if name in LIP:
            pred[:, place, :2] = truth[:, LIP.index(name), :2]
            pred[:, place, 0] += moved.get(name.replace("-", "_"), 0)
    return pred


def test_a_joint_half_a_head_away_is_right_and_beyond_it_wrong():
    truth = annotated()
    score = pckh_shared(predicted(truth, left_knee=5.0, right_wrist=5.01, left_hip=-40), truth)
    assert score == {"pckh": pytest.approx(100 * 10 / 12), "people": 1, "joints": 12}


def test_joints_that_are_not_annotated_do_not_count():
    truth = annotated()
    truth[0, LIP.index("left-ankle")] = 0
    score = pckh_shared(predicted(truth, left_ankle=99), truth)
    assert (score["pckh"], score["joints"]) == (100, 11)


def test_people_without_a_head_size_are_left_out():
    truth = np.concatenate([annotated(), annotated()])
    truth[1, LIP.index("head-top"), 2] = 0
    score = pckh_shared(predicted(truth, left_knee=99), truth)
    assert (score["pckh"], score["people"], score["joints"]) == (pytest.approx(100 * 11 / 12), 1, 12)


def test_pelvis_and_thorax_are_not_judged():
    truth = annotated()
    truth[0, [LIP.index("pelvis"), LIP.index("thorax")], :2] = 500
    assert pckh_shared(predicted(truth), truth)["pckh"] == 100


def test_nobody_to_judge_is_nan():
    assert math.isnan(pckh_shared(np.zeros((0, 17, 3)), np.zeros((0, 16, 3)))["pckh"])


def test_wrong_shapes_are_named():
    with pytest.raises(ValueError, match=r"pred: shape \(2, 16, 3\), expected \(N, 17, 3\)"):
        pckh_shared(np.zeros((2, 16, 3)), np.zeros((2, 16, 3)))
    with pytest.raises(ValueError, match=r"truth: shape \(1, 16, 3\), expected \(2, 16, 3\)"):
        pckh_shared(np.zeros((2, 17, 3)), np.zeros((1, 16, 3)))


def test_pascal_s_head_is_as_long_as_neck_and_forehead_are_apart():
    pascal = KEYPOINT_SETS["pascal14"]
    truth = np.zeros((2, 14, 3))
    for person, neck in enumerate([(0, 0, 2), (0, 0, 0)]):  # the second one has no head size
        truth[person, pascal.keypoint_names.index("neck")] = neck
        truth[person, pascal.keypoint_names.index("forehead")] = 0, -6, 2
        truth[person, pascal.keypoint_names.index("left-hip")] = 50, 50, 1
        truth[person, pascal.keypoint_names.index("left-wrist")] = 70, 50, 1
    pred = np.zeros((2, 17, 3))
    pred[:, COCO.index("left-hip"), :2] = 53, 50
    pred[:, COCO.index("left-wrist"), :2] = 70, 53.1
    assert pckh_shared(pred, truth, pascal) == {"pckh": 50, "people": 1, "joints": 2}


def test_a_set_without_a_head_has_no_pckh():
    with pytest.raises(ValueError, match="annotated: 'coco17' has no head size"):
        pckh_shared(np.zeros((1, 17, 3)), np.zeros((1, 17, 3)), KEYPOINT_SETS["coco17"])
