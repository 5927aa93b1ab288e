"""Left and right of keypoints and masks, by hand: a person of 100 pixels, so NEAR is 3 and FAR 6 pixels."""

import numpy as np
import pytest

from pipeline.quality.sides import exchanged_joints, limb_ids
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS, LabelSet

LIP = LABEL_SETS["lip"]
NAMES = KEYPOINT_SETS["lip16"].keypoint_names
IDS = limb_ids(LIP)


def legs(left=60, right=30, wide=8):
    """Part ids of 100 x 100 pixels: legs and shoes as columns that begin at `left` and `right`."""
    parts = np.zeros((100, 100), np.uint8)
    for side, column in (("right", right), ("left", left)):
        parts[50:90, column : column + wide] = LIP.id(f"{side}-leg")
        parts[90:98, column : column + wide] = LIP.id(f"{side}-shoe")
    return parts


def joints(**places):
    """(16, 3) keypoints: left_ankle=(x, y) or (x, y, v)."""
    keypoints = np.zeros((16, 3), np.float32)
    for name, place in places.items():
        keypoints[NAMES.index(name.replace("_", "-"))] = (*place, 2)[:3]
    return keypoints


def found(keypoints, parts, ids=IDS, names=NAMES):
    return exchanged_joints(keypoints, names, parts, ids, 100.0)


def test_both_ankles_on_the_other_side_contradict():
    assert found(joints(left_ankle=(34, 85), right_ankle=(64, 85)), legs()) == ["ankle"]


def test_shoes_alone_tell_too():
    parts = legs()
    parts[50:90] = LIP.id("pants")
    assert found(joints(left_ankle=(34, 88), right_ankle=(64, 88)), parts) == ["ankle"]
    # Three pixels above the shoe is near, four is not.
    assert found(joints(left_ankle=(34, 87), right_ankle=(64, 87)), parts) == ["ankle"]
    assert found(joints(left_ankle=(34, 86), right_ankle=(64, 86)), parts) == []


def test_own_sides_do_not_contradict():
    assert found(joints(left_ankle=(64, 85), right_ankle=(34, 85)), legs()) == []


def test_one_joint_on_the_other_side_is_no_contradiction():
    # As where one leg hides the other: both ankles on the right leg, or one not annotated.
    assert found(joints(left_ankle=(34, 85), right_ankle=(33, 85)), legs()) == []
    assert found(joints(left_ankle=(34, 85), right_ankle=(64, 85, 0)), legs()) == []


def test_limbs_close_together_are_no_contradiction():
    # The joint in the right leg's column 34 is six pixels from the left leg at 40 ... and seven from one at 41.
    assert found(joints(left_ankle=(34, 85), right_ankle=(46, 85)), legs(left=40, right=30, wide=10)) == []
    near = joints(left_ankle=(31, 85), right_ankle=(46, 85))
    assert found(near, legs(left=37, right=30, wide=7)) == []
    assert found(joints(left_ankle=(30, 85), right_ankle=(43, 85)), legs(left=37, right=30, wide=7)) == ["ankle"]


def test_crossed_legs_are_no_contradiction():
    # From knee to ankle the legs change places; each lies on its own pixels, and so does its ankle.
    parts = np.zeros((100, 100), np.uint8)
    for row in range(50, 98):
        shift = round((row - 50) * 40 / 47)
        parts[row, 30 + shift : 38 + shift] = LIP.id("right-leg")
        parts[row, 70 - shift : 78 - shift] = LIP.id("left-leg")
    assert found(joints(left_ankle=(34, 95), right_ankle=(74, 95)), parts) == []
    assert found(joints(left_ankle=(74, 95), right_ankle=(34, 95)), parts) == ["ankle"]


def test_a_side_that_is_not_seen_is_no_contradiction():
    parts = legs()
    parts[parts == LIP.id("left-leg")] = 0
    parts[parts == LIP.id("left-shoe")] = 0
    assert found(joints(left_ankle=(34, 85), right_ankle=(64, 85)), parts) == []


def test_another_pair_of_the_limb_on_its_own_side_is_a_single_slip():
    keypoints = joints(left_ankle=(34, 95), right_ankle=(64, 95), left_knee=(64, 55), right_knee=(34, 55))
    assert found(keypoints, legs()) == []
    keypoints = joints(left_ankle=(34, 95), right_ankle=(64, 95), left_knee=(34, 55), right_knee=(64, 55))
    assert found(keypoints, legs()) == ["knee", "ankle"]


def test_arms_are_judged_apart_from_legs():
    parts = legs()
    parts[20:40, 10:15], parts[20:40, 85:90] = LIP.id("right-arm"), LIP.id("left-arm")
    keypoints = joints(
        left_wrist=(12, 38), right_wrist=(87, 38), left_ankle=(64, 85), right_ankle=(34, 85),
    )  # fmt: skip
    assert found(keypoints, parts) == ["wrist"]


def test_other_keypoint_sets_go_by_the_names():
    names = KEYPOINT_SETS["coco17"].keypoint_names
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[names.index("left-ankle")], keypoints[names.index("right-ankle")] = (34, 85, 2), (64, 85, 1)
    assert found(keypoints, legs(), names=names) == ["ankle"]


def test_limbs_are_told_by_the_names_of_the_classes():
    assert {key: ids.tolist() for key, ids in IDS.items()} == {
        ("arm", "left"): [14], ("arm", "right"): [15], ("leg", "left"): [16, 18], ("leg", "right"): [17, 19],
    }  # fmt: skip
    mhp = LABEL_SETS["mhp"]
    assert [mhp.part_names[part] for part in limb_ids(mhp)["leg", "left"]] == [
        "left-boot", "left-shoe", "left-highheel", "left-sandal", "left-leg", "left-foot",
    ]  # fmt: skip
    own = LabelSet("own", ("background", "left-upper-arm", "right-upper-arm", "left-ear", "right-ear"))
    assert {key: ids.tolist() for key, ids in limb_ids(own).items()} == {("arm", "left"): [1], ("arm", "right"): [2]}


@pytest.mark.parametrize("name", ["pascal", "person"])
def test_label_sets_without_sides_are_not_audited(name):
    assert limb_ids(LABEL_SETS[name]) == {}
    assert found(joints(left_ankle=(34, 85), right_ankle=(64, 85)), legs(), ids={}) == []
