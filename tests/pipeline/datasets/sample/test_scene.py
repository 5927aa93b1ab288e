from dataclasses import replace

import numpy as np
import pytest

from pipeline.datasets.sample.garments import skirt_solids
from pipeline.datasets.sample.materials import Material
from pipeline.datasets.sample.outfit import draw_outfit
from pipeline.datasets.sample.part_names import PART_NAMES, drawable_parts, parts_lut
from pipeline.datasets.sample.poses import draw_pose
from pipeline.datasets.sample.scene import draw_portrait, draw_scene
from pipeline.datasets.sample.skeleton import Proportions, pose_skeleton
from pipeline.taxonomy import KEYPOINT_SETS, label_set


@pytest.fixture(scope="module")
def scenes():
    return [draw_scene(np.random.default_rng([1, index]), (128, 160), 1 + index % 5) for index in range(12)]


def test_same_generator_state_draws_the_same_scene():
    first, second = (draw_scene(np.random.default_rng(4), (96, 96), 2, crowd=3) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.parts, second.parts)
    assert first.joints == second.joints


def test_shapes_and_types(scenes):
    for scene in scenes:
        assert scene.image.shape == (128, 160, 3) and scene.image.dtype == np.uint8
        for labels in (scene.parts, scene.body, scene.people, scene.things):
            assert labels.shape == (128, 160) and labels.dtype == np.uint8
        assert scene.crowd.dtype == bool


def test_people_are_numbered_without_gaps_and_have_joints(scenes):
    for scene in scenes:
        assert np.array_equal(np.unique(scene.people)[1:], np.arange(1, len(scene.joints) + 1))


def test_parts_and_people_cover_the_same_pixels(scenes):
    for scene in scenes:
        assert np.array_equal(scene.parts > 0, scene.people > 0)
        assert not (scene.body[scene.people == 0]).any()
        carried = scene.parts == PART_NAMES.index("bag")
        assert (scene.body[(scene.people > 0) & ~carried] > 0).mean() > 0.99


def test_visible_joints_lie_on_their_own_person(scenes):
    for scene in scenes:
        for person, joints in enumerate(scene.joints, start=1):
            for x, y, v in joints.values():
                if v == 2:
                    assert scene.people[round(y), round(x)] == person


def test_joints_outside_of_the_image_are_not_annotated(scenes):
    for scene in scenes:
        for joints in scene.joints:
            for x, y, v in joints.values():
                assert v in (0, 1, 2)
                assert (x, y) == (0, 0) if v == 0 else (-0.5 <= x <= 159.5 and -0.5 <= y <= 127.5)


def test_all_joints_of_all_keypoint_sets_are_named(scenes):
    for keypoints in KEYPOINT_SETS.values():
        assert set(keypoints.keypoint_names) <= set(scenes[0].joints[0])


@pytest.mark.parametrize("name", ["lip", "cihp", "atr"])
def test_every_class_occurs_and_no_other_part(name):
    target = label_set(name)
    seen = np.zeros(256, dtype=bool)
    for index in range(14):
        parts = draw_scene(np.random.default_rng([2, index]), (96, 224), 6, allowed=drawable_parts(target)).parts
        seen[np.unique(parts)] = True
        assert {PART_NAMES[part] for part in np.unique(parts)} <= drawable_parts(target) | {"torso-skin"}
    assert set(parts_lut(target)[: len(PART_NAMES)][seen[: len(PART_NAMES)]]) == set(range(len(target)))


def test_every_body_part_occurs(scenes):
    assert set(np.unique(np.concatenate([scene.body.ravel() for scene in scenes]))) == set(range(7))


@pytest.mark.parametrize(("yaw", "left_is_right_in_image"), [(0.0, True), (np.pi, False)])
def test_left_is_the_persons_own(yaw, left_is_right_in_image):
    for index in range(6):
        joints = draw_portrait(np.random.default_rng([3, index]), yaw=yaw).joints[0]
        left, right = joints["left-shoulder"], joints["right-shoulder"]
        if left[2] and right[2]:
            assert (left[0] > right[0]) == left_is_right_in_image


def test_face_is_visible_from_the_front_and_hidden_from_behind():
    shown = {0.0: 0, np.pi: 0}
    for yaw in shown:
        for index in range(6):
            joints = draw_portrait(np.random.default_rng([5, index]), yaw=yaw).joints[0]
            shown[yaw] += joints["nose"][2] == 2
    assert shown[0.0] >= 4 and shown[np.pi] == 0


def test_arm_pixels_lie_near_the_wrist_of_their_side():
    for index in range(6):
        scene = draw_portrait(np.random.default_rng([6, index]), allowed=drawable_parts(label_set("lip")) - {"glove"})
        for side in ("left", "right"):
            x, y, v = scene.joints[0][f"{side}-wrist"]
            if v == 2:
                found = scene.parts[round(y), round(x)]
                other = "right" if side == "left" else "left"
                assert PART_NAMES[found] != f"{other}-arm"


def test_portrait_labels_one_person_only():
    assert all(len(draw_portrait(np.random.default_rng([7, index])).joints) <= 1 for index in range(4))


def test_crowd_is_unlabelled_elsewhere():
    scene = draw_scene(np.random.default_rng(5), (128, 160), 0, crowd=6)
    assert scene.crowd.sum() > 50
    assert not scene.people.any() and not scene.parts.any() and scene.joints == ()


@pytest.mark.parametrize(
    ("size_hw", "people", "message"), [((8, 64), 1, "size_hw: got"), ((64, 64), -1, "people: got -1")]
)
def test_bad_arguments_are_named(size_hw, people, message):
    with pytest.raises(ValueError, match=message):
        draw_scene(np.random.default_rng(0), size_hw, people)


def test_parts_without_a_class_fall_back_to_a_near_one():
    lip, atr = label_set("lip"), label_set("atr")
    assert parts_lut(lip)[PART_NAMES.index("torso-skin")] == lip.id("face")
    assert parts_lut(lip)[PART_NAMES.index("belt")] == lip.id("pants")
    assert parts_lut(atr)[PART_NAMES.index("jumpsuits")] == atr.id("upper-clothes")


def test_skirts_that_end_above_the_knee_cover_no_lower_legs():
    skeleton = pose_skeleton(Proportions(), draw_pose(np.random.default_rng(1), yaw=0.0))
    outfit = replace(draw_outfit(np.random.default_rng(1), frozenset(PART_NAMES)), coat=None, skirt_length=0.6)
    outfit = replace(outfit, skirt=Material("skirt", (90.0, 90.0, 90.0)))
    (skirt,) = skirt_solids(skeleton, outfit)
    ends = [until for until, name in skirt.body if name == "upper-leg"]
    assert ends[0] > 1
