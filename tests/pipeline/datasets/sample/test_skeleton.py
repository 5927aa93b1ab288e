import numpy as np
import pytest

from pipeline.datasets.sample.poses import draw_pose
from pipeline.datasets.sample.skeleton import LimbAngles, Pose, Proportions, draw_proportions, pose_skeleton

STRAIGHT = LimbAngles(abduction=0.0, bend=0.0)


def standing(**changes):
    return Pose(arms=(STRAIGHT, STRAIGHT), legs=(STRAIGHT, STRAIGHT), **changes)


def test_facing_the_camera_the_left_side_is_on_the_images_right():
    joints = pose_skeleton(Proportions(), standing()).joints
    for name in ("shoulder", "hip", "wrist", "eye", "ear"):
        assert joints[f"left-{name}"][0] > joints[f"right-{name}"][0]


def test_facing_the_camera_the_nose_is_nearer_than_the_head():
    joints = pose_skeleton(Proportions(), standing()).joints
    assert joints["nose"][2] < joints["head"][2]
    assert pose_skeleton(Proportions(), standing(yaw=np.pi)).joints["nose"][2] > joints["head"][2]


def test_y_grows_downwards_along_a_standing_body():
    joints = pose_skeleton(Proportions(), standing()).joints
    rows = [joints[name][1] for name in ("head-top", "nose", "neck", "thorax", "pelvis", "left-knee", "left-ankle")]
    assert rows == sorted(rows)


def test_elbows_bend_forwards_and_knees_backwards():
    bent = LimbAngles(abduction=0.0, bend=1.2)
    joints = pose_skeleton(Proportions(), Pose(arms=(bent, bent), legs=(bent, bent))).joints
    assert joints["left-wrist"][2] < joints["left-elbow"][2] - 0.05
    assert joints["right-ankle"][2] > joints["right-knee"][2] + 0.05


def test_abducted_arms_move_away_from_the_body():
    away = LimbAngles(abduction=1.2)
    joints = pose_skeleton(Proportions(), Pose(arms=(away, away), legs=(STRAIGHT, STRAIGHT))).joints
    assert joints["left-wrist"][0] > joints["left-shoulder"][0] + 0.2
    assert joints["right-wrist"][0] < joints["right-shoulder"][0] - 0.2


@pytest.mark.parametrize("seed", range(5))
def test_bones_keep_their_lengths_in_any_pose(seed):
    rng = np.random.default_rng(seed)
    proportions = draw_proportions(rng)
    joints = pose_skeleton(proportions, draw_pose(rng)).joints
    for side in ("left", "right"):
        for a, b, length in (
            ("shoulder", "elbow", proportions.upper_arm),
            ("elbow", "wrist", proportions.forearm),
            ("hip", "knee", proportions.thigh),
            ("knee", "ankle", proportions.shin),
        ):
            assert np.linalg.norm(joints[f"{side}-{a}"] - joints[f"{side}-{b}"]) == pytest.approx(length)


def test_fixed_yaw_is_kept():
    assert draw_pose(np.random.default_rng(1), yaw=0.5).yaw == 0.5
