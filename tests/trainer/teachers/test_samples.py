"""What the teachers are shown: labels that stay on what they label."""

import dataclasses

import numpy as np
import pytest

from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.taxonomy import KEYPOINT_SETS
from pipeline.teacher_file import InputSpec
from trainer.teachers import pose_samples
from trainer.teachers.detector_samples import draw_detector_sample, tight_box
from trainer.teachers.pose_samples import draw_pose_sample, draw_targets, people_with_joints

COCO = KEYPOINT_SETS["coco17"]
SPEC = InputSpec(size=(48, 96))
FILL = (124, 116, 104)  # 255 times the mean


def test_masks_stay_on_their_people(scenes):
    for seed in range(20):
        sample = draw_detector_sample(scenes[seed % 6], SPEC, 64, np.random.default_rng(seed))
        assert sample.image.shape == (64, 64, 3)
        assert len(sample.masks) == len(sample.boxes)
        for mask, box in zip(sample.masks, sample.boxes, strict=True):
            assert tuple(box) == tight_box(mask)
            inside, outside = sample.image[mask == 1], sample.image[mask == 0]
            assert inside.std() > outside.std()  # the people are the only strong colours


def test_crowds_and_people_without_masks_are_painted_over(scenes):
    people = scenes[0].people
    for row in (dict(crowd=[True], rles=people.rles), dict(crowd=[False], rles=[None])):
        hidden = People.build(people.ids, people.boxes, **row)
        plain = draw_detector_sample(scenes[0], SPEC, 64, np.random.default_rng(1))
        sample = draw_detector_sample(dataclasses.replace(scenes[0], people=hidden), SPEC, 64, np.random.default_rng(1))
        assert len(sample.boxes) == 0
        assert sample.masks.shape == (0, 64, 64)
        assert (sample.image[plain.masks[0] == 1] == FILL).all()


def test_a_person_is_not_painted_over_with_the_crowd_behind(scenes):
    people = scenes[0].people
    everywhere = encode_rle(np.ones((60, 80), bool))
    both = People.build(
        [1, 2], [people.boxes[0], [0, 0, 80, 60]], crowd=[False, True], rles=[people.rles[0], everywhere]
    )
    sample = draw_detector_sample(dataclasses.replace(scenes[0], people=both), SPEC, 64, np.random.default_rng(1))
    assert (sample.image[sample.masks[0] == 0] == FILL).all()
    assert sample.image[sample.masks[0] == 1].std() > 30


@pytest.fixture
def still(monkeypatch):
    """No random changes but mirroring."""
    monkeypatch.setattr(pose_samples, "SHIFT", 0.0)
    monkeypatch.setattr(pose_samples, "SIDE_FACTOR", (1.0, 1.0))
    monkeypatch.setattr(pose_samples, "ROTATED_SHARE", 0.0)
    monkeypatch.setattr(pose_samples, "TRUNCATED_SHARE", 0.0)
    monkeypatch.setattr(pose_samples, "vary_colour", lambda image, rng: image)


def test_a_mirrored_crop_has_mirrored_and_swapped_joints(scenes, still):
    views = [draw_pose_sample(scenes[0], 0, (32, 24), 4, COCO, np.random.default_rng(seed)) for seed in range(12)]
    maps = [view.heatmaps for view in views]
    plain = maps[0]
    mirrored = next(other for other in maps if not np.allclose(other, plain))
    np.testing.assert_allclose(mirrored[COCO.hflip_index][..., ::-1], plain, atol=1e-5)
    assert all(np.allclose(other, plain) or np.allclose(other, mirrored) for other in maps)


def test_blacked_out_people_leave_the_own_pixels(scenes, still, monkeypatch):
    monkeypatch.setattr(pose_samples, "BLACKED_SHARE", 1.0)
    monkeypatch.setattr(pose_samples, "CUT_SHARE", 0.0)
    record = scenes[1]
    wide = dataclasses.replace(record.people, boxes=np.array([[0, 0, 80, 60]] * 2, np.float32))
    record = dataclasses.replace(record, people=wide)
    view = draw_pose_sample(record, 0, (64, 64), 4, COCO, np.random.default_rng(0)).image
    red = (view[..., 0] > 150) & (view[..., 2] < 60)  # torsos
    columns = np.flatnonzero(red.any(axis=0))
    assert len(columns)
    assert np.ptp(columns) < 20  # one torso, not two
    monkeypatch.setattr(pose_samples, "BLACKED_SHARE", 0.0)
    view = draw_pose_sample(record, 0, (64, 64), 4, COCO, np.random.default_rng(0)).image
    assert np.ptp(np.flatnonzero(((view[..., 0] > 150) & (view[..., 2] < 60)).any(axis=0))) > 20


def test_targets_peak_at_their_joint_and_only_known_joints_in_view_count():
    points = np.array([[5.5, 9.5], [0.0, 40.0], [3.0, 3.0]])
    maps, weights = draw_targets(points, np.array([True, True, False]), (32, 24), 4)
    assert maps.shape == (3, 8, 6)
    assert weights.tolist() == [1, 0, 0]
    assert maps[0, 2, 1] == 1  # cell (1, 2) has its centre at (5.5, 9.5)
    assert maps[0, 2, 2] == pytest.approx(np.exp(-1 / (2 * 1.5**2)))
    assert not maps[1:].any()


def test_only_people_with_joints_are_listed(scenes):
    people = scenes[1].people
    joints = people.keypoints.copy()
    joints[0, :, 2] = 0
    changed = dataclasses.replace(scenes[1], people=dataclasses.replace(people, keypoints=joints))
    crowd = dataclasses.replace(scenes[0], people=dataclasses.replace(scenes[0].people, crowd=np.array([True])))
    nobody = dataclasses.replace(scenes[0], people=People.empty())
    assert people_with_joints([scenes[1], changed, crowd, nobody]) == [(0, 0), (0, 1), (1, 1)]
