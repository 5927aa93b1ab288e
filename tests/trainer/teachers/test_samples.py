"""What the teachers are shown: labels that stay on what they label."""

import dataclasses

import cv2
import numpy as np
import pytest

from pipeline.geometry.affine import transform_points
from pipeline.images import encode_png
from pipeline.pose.architectures import PoseChoice
from pipeline.pose.simple_baseline import ARCHITECTURE, PoseOptions
from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.taxonomy import KEYPOINT_SETS
from pipeline.teacher_file import InputSpec
from trainer.teachers import pose_samples
from trainer.teachers.detector_samples import draw_detector_sample, tight_box
from trainer.teachers.keypoint_samples import draw_keypoint_sample
from trainer.teachers.pose_samples import PoseViews, draw_pose_sample, draw_targets, people_with_joints
from trainer.teachers.views import PUBLISHED_VIEWS, SMALL_VIEWS, ImageViews, is_mirrored

COCO = KEYPOINT_SETS["coco17"]
SPEC = InputSpec(size=(48, 96))
FILL = (124, 116, 104)  # 255 times the mean


def test_masks_stay_on_their_people(scenes):
    for seed in range(20):
        sample = draw_detector_sample(scenes[seed % 6], SPEC, SMALL_VIEWS, np.random.default_rng(seed))
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
        plain = draw_detector_sample(scenes[0], SPEC, SMALL_VIEWS, np.random.default_rng(1))
        sample = draw_detector_sample(
            dataclasses.replace(scenes[0], people=hidden), SPEC, SMALL_VIEWS, np.random.default_rng(1)
        )
        assert len(sample.boxes) == 0
        assert sample.masks.shape == (0, 64, 64)
        assert (sample.image[plain.masks[0] == 1] == FILL).all()


def test_a_person_is_not_painted_over_with_the_crowd_behind(scenes):
    people = scenes[0].people
    everywhere = encode_rle(np.ones((60, 80), bool))
    both = People.build(
        [1, 2], [people.boxes[0], [0, 0, 80, 60]], crowd=[False, True], rles=[people.rles[0], everywhere]
    )
    sample = draw_detector_sample(
        dataclasses.replace(scenes[0], people=both), SPEC, SMALL_VIEWS, np.random.default_rng(1)
    )
    assert (sample.image[sample.masks[0] == 0] == FILL).all()
    assert sample.image[sample.masks[0] == 1].std() > 30


CHOICE = PoseChoice(ARCHITECTURE, PoseOptions(widths=(8, 16), deconv_widths=(16,)), InputSpec(size=(32, 24)))
STILL = PoseViews(shift=0.0, side_factor=(1.0, 1.0), rotated_share=0.0, truncated_share=0.0)
"""No random changes but mirroring and blackening."""


@pytest.fixture
def plain_colours(monkeypatch):
    monkeypatch.setattr(pose_samples, "vary_colour", lambda image, rng: image)


def test_a_mirrored_crop_has_mirrored_and_swapped_joints(scenes, plain_colours):
    views = [draw_pose_sample(scenes[0], 0, CHOICE, COCO, STILL, np.random.default_rng(seed)) for seed in range(12)]
    maps = [view.heatmaps for view in views]
    plain = maps[0]
    mirrored = next(other for other in maps if not np.allclose(other, plain))
    np.testing.assert_allclose(mirrored[COCO.hflip_index][..., ::-1], plain, atol=1e-5)
    assert all(np.allclose(other, plain) or np.allclose(other, mirrored) for other in maps)


def test_blacked_out_people_leave_the_own_pixels(scenes, plain_colours):
    views, choice = dataclasses.replace(STILL, cut_share=0.0), dataclasses.replace(CHOICE, input=InputSpec((64, 64)))
    record = scenes[1]
    wide = dataclasses.replace(record.people, boxes=np.array([[0, 0, 80, 60]] * 2, np.float32))
    record = dataclasses.replace(record, people=wide)
    blacked = dataclasses.replace(views, blacked_share=1.0)
    view = draw_pose_sample(record, 0, choice, COCO, blacked, np.random.default_rng(0)).image
    red = (view[..., 0] > 150) & (view[..., 2] < 60)  # torsos
    columns = np.flatnonzero(red.any(axis=0))
    assert len(columns)
    assert np.ptp(columns) < 20  # one torso, not two
    views = dataclasses.replace(views, blacked_share=0.0)
    view = draw_pose_sample(record, 0, choice, COCO, views, np.random.default_rng(0)).image
    assert np.ptp(np.flatnonzero(((view[..., 0] > 150) & (view[..., 2] < 60)).any(axis=0))) > 20


def test_targets_peak_at_their_joint_and_only_known_joints_in_view_count():
    points = np.array([[5.5, 9.5], [0.0, 40.0], [3.0, 3.0]])
    maps, weights = draw_targets(points, np.array([True, True, False]), (32, 24), 4, 1.5)
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
    assert people_with_joints([scenes[1], changed, crowd, nobody]).tolist() == [[0, 0], [0, 1], [1, 1]]


def test_cells_at_the_first_pixel_are_as_the_authors_have_them():
    maps, _ = draw_targets(np.array([[8.0, 12.0]]), np.array([True]), (32, 24), 4, 2.0, "first")
    assert maps[0, 3, 2] == 1  # cell i at pixel 4 i
    assert maps[0, 3, 3] == pytest.approx(np.exp(-1 / (2 * 2.0**2)))


def test_published_views_turn_and_scale_as_told(scenes, plain_colours, monkeypatch):
    drawn = []
    true = pose_samples.crop_matrix

    def noted(box, input_hw, **changes):
        drawn.append(changes)
        return true(box, input_hw, **changes)

    monkeypatch.setattr(pose_samples, "crop_matrix", noted)
    rng = np.random.default_rng(3)
    for _ in range(400):
        draw_pose_sample(scenes[0], 0, CHOICE, COCO, pose_samples.PUBLISHED_VIEWS, rng)
    angles, factors = (
        np.array([1 / change[key] if key == "scale" else change[key] for change in drawn])
        for key in ("angle_deg", "scale")
    )
    assert np.mean(angles != 0) == pytest.approx(0.6, abs=0.08)
    assert np.abs(angles).max() <= 80
    assert np.std(angles[angles != 0]) == pytest.approx(40, rel=0.15)
    assert (factors.min(), factors.max()) == (pytest.approx(0.7), pytest.approx(1.3))
    assert np.mean([change["mirror"] for change in drawn]) == pytest.approx(0.5, abs=0.08)


def test_turned_joints_stay_on_the_pixels_they_name(scenes, plain_colours):
    """A white dot at each joint is still where its heatmap peaks, whatever turns, mirrors and scales the crop."""
    record = scenes[0]
    image = np.zeros((60, 80, 3), np.uint8)
    joints = np.zeros((1, 17, 3), np.float32)
    joints[0, 9] = (30, 30, 2)  # the left wrist
    image[30, 30] = 255
    people = dataclasses.replace(record.people, keypoints=joints, boxes=np.array([[10, 10, 40, 40]], np.float32))
    record = dataclasses.replace(record, people=people, image=encode_png(image))
    wide = dataclasses.replace(CHOICE, input=InputSpec(size=(128, 96)))
    views = dataclasses.replace(pose_samples.PUBLISHED_VIEWS, cut_share=0.0, blacked_share=0.0)
    for seed in range(25):
        sample = draw_pose_sample(record, 0, wide, COCO, views, np.random.default_rng(seed))
        joint = int(sample.weights.argmax())
        assert joint in (9, 10)
        weight = sample.image[..., 0].astype(float)
        y, x = (np.array(np.indices(weight.shape)) * weight).sum(axis=(1, 2)) / weight.sum()
        heat = sample.heatmaps[joint].astype(float)
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert (column * 4 + 1.5, row * 4 + 1.5) == (pytest.approx(x, abs=2.2), pytest.approx(y, abs=2.2))


@pytest.mark.parametrize("hw", [(60, 80), (100, 40), (30, 400)])
def test_a_whole_view_holds_the_whole_image(hw):
    for seed in range(10):
        matrix, (height, width) = PUBLISHED_VIEWS.draw(hw, (48, 96), np.random.default_rng(seed))
        corners = np.array([[-0.5, -0.5], [hw[1] - 0.5, hw[0] - 0.5]])
        seen = transform_points(matrix, corners)
        if is_mirrored(matrix):
            seen[:, 0] = seen[::-1, 0]
        np.testing.assert_allclose(seen, [[-0.5, -0.5], [width - 0.5, height - 0.5]], atol=1e-9)
        assert max(height, width) <= 96
        if max(hw) / min(hw) < 2:
            assert 0.8 * 48 - 1 <= min(height, width) <= 48


def test_a_square_view_stays_in_the_image_where_that_is_larger():
    views = ImageViews(scale=(1.0, 1.0), square=True)
    for seed in range(10):
        matrix, (height, width) = views.draw((60, 200), (48, 96), np.random.default_rng(seed))
        assert (height, width) == (64, 64)
        back = transform_points(np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2], np.array([[-0.5, 0], [63.5, 0]]))
        assert back[:, 0].min() >= -0.51
        assert back[:, 0].max() <= 199.51


def test_joints_and_boxes_of_whole_images_stay_on_their_people(scenes):
    spec = InputSpec(size=(120, 240))
    for seed in range(12):
        record = scenes[seed % 6]
        rows = np.arange(len(record.people))
        sample = draw_keypoint_sample(record, rows, spec, COCO, PUBLISHED_VIEWS, np.random.default_rng(seed))
        matrix, hw = PUBLISHED_VIEWS.draw((60, 80), spec.size, np.random.default_rng(seed))
        assert sample.image.shape[:2] == hw
        masks = draw_detector_sample(record, spec, PUBLISHED_VIEWS, np.random.default_rng(seed))
        np.testing.assert_allclose(sample.boxes, masks.boxes, atol=1.5)  # tight around the warped masks
        left, right = (5, 6) if not is_mirrored(matrix) else (6, 5)
        expected = transform_points(matrix, record.people.keypoints[:, [left, right], :2])
        np.testing.assert_allclose(sample.keypoints[:, [5, 6], :2], expected, atol=1e-3)
        assert (sample.keypoints[:, [0, 5, 6], 2] == 2).all()
        assert (sample.keypoints[:, 1, 2] == 0).all()


def test_people_without_joints_are_painted_over_in_whole_images(scenes):
    record = scenes[1]
    sample = draw_keypoint_sample(record, np.array([0]), SPEC, COCO, PUBLISHED_VIEWS, np.random.default_rng(2))
    masks = draw_detector_sample(record, SPEC, PUBLISHED_VIEWS, np.random.default_rng(2)).masks
    assert len(sample.boxes) == 1
    inner = cv2.erode(masks[1], np.ones((3, 3), np.uint8)) == 1
    assert (sample.image[inner] == FILL).all()
    assert (sample.image[masks[0] == 1] != FILL).any(axis=1).mean() > 0.9
