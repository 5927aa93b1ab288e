"""The published networks are fitted by the same loops: from a teacher's weights, with its options and its input."""

import dataclasses

import numpy as np
import pytest
import torch

from pipeline.detection.architectures import ARCHITECTURES
from pipeline.detection.loading import load_detector
from pipeline.errors import DataError
from pipeline.params import DetectorFit, PoseFit
from pipeline.pose import simple_baseline
from pipeline.pose.architectures import POSE_ARCHITECTURES, PoseChoice
from pipeline.pose.keypoint_rcnn import ARCHITECTURE as KEYPOINT_RCNN
from pipeline.pose.keypoint_rcnn import KeypointRcnnOptions
from pipeline.pose.loading import load_estimator
from pipeline.pose.simple_baseline import ResnetOptions
from pipeline.records import People
from pipeline.teacher_file import InputSpec, read_teacher, write_teacher
from tests.trainer.teachers.conftest import write_scenes
from tests.trainer.teachers.toys import FIT, POSE, fitted
from trainer.teachers.detector import fit_detector
from trainer.teachers.pose import fit_pose

SPEC = InputSpec(size=(64, 96))
STILL = {**FIT, "steps": 1, "lr": 1e-12}
"""So small a rate that only the statistics of unfrozen norms move."""


def published_detector(name, path, classes=91, **changes):
    """A file as the published weights are kept, with random ones."""
    known = ARCHITECTURES[name]
    options = known.options(classes=classes, **changes)
    torch.manual_seed(1)
    write_teacher(path, known.build(options, SPEC), name, options, SPEC, "float32")
    return path


@pytest.mark.parametrize(
    "name, changes", [("maskrcnn_resnet50_fpn", {"frozen_norm": True}), ("maskrcnn_resnet50_fpn_v2", {})]
)
def test_a_published_detector_goes_on_with_people_alone(name, changes, scenes, tmp_path):
    start = published_detector(name, tmp_path / "start", **changes)
    section = DetectorFit(**{**STILL, "batch_size": 1})
    fit_detector(scenes, section, 3, tmp_path / "out", tmp_path, lambda *_: None, name=name, start=start)
    before, after = read_teacher(start, name), read_teacher(tmp_path / "out", name)
    assert after.options == {**before.options, "classes": 2}
    assert after.input == SPEC
    for key, values in after.tensors.items():
        expected = before.tensors[key][: len(values)]  # background and person are the first classes
        if "running" not in key:
            np.testing.assert_allclose(values, expected, atol=1e-6, err_msg=key)
    assert after.tensors["roi_heads.box_predictor.cls_score.weight"].shape[0] == 2
    assert after.tensors["roi_heads.box_predictor.bbox_pred.weight"].shape[0] == 8
    frozen = [key for key in after.tensors if key.startswith(("backbone.body.bn1", "backbone.body.layer1"))]
    assert len(frozen) > 10
    for key in frozen:
        np.testing.assert_array_equal(after.tensors[key], before.tensors[key])


def test_a_published_detector_learns_from_random_weights_with_norms_of_its_own(scenes, tmp_path):
    told = []
    fit_detector(
        scenes, DetectorFit(**{**FIT, "steps": 1}), 3, tmp_path / "out", tmp_path,
        lambda done, total, parts: told.append(parts), spec=SPEC, name="maskrcnn_resnet50_fpn",
    )  # fmt: skip
    assert set(told[0]) == {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}
    assert read_teacher(tmp_path / "out", "maskrcnn_resnet50_fpn").options["frozen_norm"] is False
    load_detector(tmp_path / "out").detect(scenes[0].decode_image())


def test_the_losses_are_torchvision_s_own(scenes, monkeypatch):
    """Images of several sizes, against torchvision's forward on the images as they are drawn."""
    from trainer.teachers.detector_samples import draw_detector_sample
    from trainer.teachers.rcnn import collate_rcnn, rcnn_losses
    from trainer.teachers.views import PUBLISHED_VIEWS

    torch.manual_seed(0)
    network = ARCHITECTURES["maskrcnn_resnet50_fpn"].build(ARCHITECTURES["maskrcnn_resnet50_fpn"].options(), SPEC)
    network.train()
    samples = [
        draw_detector_sample(scene, SPEC, PUBLISHED_VIEWS, np.random.default_rng(i))
        for i, scene in enumerate(scenes[:2])
    ]
    assert samples[0].image.shape != samples[1].image.shape
    torch.manual_seed(5)
    ours = rcnn_losses(network, collate_rcnn(samples), SPEC, torch.device("cpu"))
    monkeypatch.setattr(network.transform, "resize", lambda image, target: (image, target))
    images = [torch.from_numpy(sample.image.transpose(2, 0, 1).copy()).float() / 255 for sample in samples]
    targets = [
        {"boxes": torch.from_numpy(s.boxes), "masks": torch.from_numpy(s.masks), "labels": torch.ones(len(s.boxes), dtype=torch.int64)}
        for s in samples
    ]  # fmt: skip
    torch.manual_seed(5)
    theirs = network(images, targets)
    assert {name: value.item() for name, value in ours.items()} == pytest.approx(
        {name: value.item() for name, value in theirs.items()}, rel=1e-4
    )


def published_pose(architecture, options, path):
    torch.manual_seed(1)
    write_teacher(path, POSE_ARCHITECTURES[architecture].build(options, SPEC), architecture, options, SPEC, "float32")
    return path


def test_the_authors_resnet_goes_on_with_the_cells_it_was_taught(scenes, tmp_path):
    options = ResnetOptions(depth=50, deconv_widths=(16, 16, 16), cell_at="first")
    start = published_pose(simple_baseline.RESNET_ARCHITECTURE, options, tmp_path / "start")
    section = PoseFit(**STILL, architecture="resnet50_256x192")
    fit_pose(scenes, section, 3, tmp_path / "out", tmp_path, lambda *_: None, start=start)
    before, after = (read_teacher(file, simple_baseline.RESNET_ARCHITECTURE) for file in (start, tmp_path / "out"))
    assert (after.options, after.input) == (before.options, before.input)
    for key, values in after.tensors.items():
        if "running" not in key:
            np.testing.assert_allclose(values, before.tensors[key], atol=1e-6, err_msg=key)
    other = PoseFit(**STILL, architecture="resnet101_384x288")
    with pytest.raises(DataError, match=r"start: a network of depth 50, pose\.fit\.architecture asks for 101"):
        fit_pose(scenes, other, 3, tmp_path / "out", tmp_path, lambda *_: None, start=start)


def test_a_keypoint_rcnn_goes_on_and_finds_joints(scenes, tmp_path):
    start = published_pose(KEYPOINT_RCNN, KeypointRcnnOptions(frozen_norm=True), tmp_path / "start")
    told = []
    section = PoseFit(**{**STILL, "batch_size": 1}, architecture="keypoint_rcnn")
    fit_pose(
        scenes, section, 3, tmp_path / "out", tmp_path, lambda done, total, parts: told.append(parts), start=start
    )  # fmt: skip
    assert set(told[0]) == {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_keypoint"}
    assert told[0]["loss_keypoint"] > 0
    before, after = (read_teacher(file, KEYPOINT_RCNN) for file in (start, tmp_path / "out"))
    for key, values in after.tensors.items():
        np.testing.assert_allclose(values, before.tensors[key], atol=1e-6, err_msg=key)
    estimator = load_estimator(tmp_path / "out")
    assert estimator.estimate(scenes[1].decode_image(), scenes[1].people.boxes).shape == (2, 17, 3)


def test_a_second_fit_starts_from_the_weights_of_the_first(scenes, tmp_path):
    fitted("pose", scenes, tmp_path / "first")
    fit_pose(
        scenes, PoseFit(**STILL), 8, tmp_path / "second", tmp_path, lambda *_: None, POSE, start=tmp_path / "first"
    )
    first, second = (read_teacher(tmp_path / name, POSE.architecture).tensors for name in ("first", "second"))
    for name in first:
        if "running" not in name:
            np.testing.assert_array_equal(second[name], first[name])


def test_the_network_has_the_joints_of_the_set(scenes, tmp_path):
    sixteen = [scene.people.keypoints[:, :16] for scene in scenes]
    shards = write_scenes(tmp_path / "lip", scenes, keypoints=sixteen, keypoint_set="lip16")
    choice = PoseChoice(POSE.architecture, dataclasses.replace(POSE.options, keypoint_set="lip16"), POSE.input)
    fit_pose(shards, PoseFit(**FIT), 3, tmp_path / "out", tmp_path, lambda *_: None, choice)
    assert read_teacher(tmp_path / "out", POSE.architecture).tensors["head.weight"].shape[0] == 16
    with pytest.raises(DataError, match=r"lip: has the joints of lip16, the network those of coco17"):
        fit_pose(shards, PoseFit(**FIT), 3, tmp_path / "out", tmp_path, lambda *_: None, POSE)


def test_who_cannot_be_learned_from_is_told(scenes, tmp_path):
    with pytest.raises(DataError, match="records: no images, expected at least one"):
        fitted("detector", [], tmp_path / "a")
    people = scenes[0].people
    nobody = [dataclasses.replace(scenes[0], people=People.empty(17))] * 2
    with pytest.raises(DataError, match="records: nobody in its 2 images, expected people"):
        fitted("detector", nobody, tmp_path / "a")
    with pytest.raises(DataError, match="records: nobody in its 2 images has annotated joints"):
        fitted("pose", nobody, tmp_path / "a")
    boxes = [dataclasses.replace(scenes[0], people=dataclasses.replace(people, rles=(None,)))]
    with pytest.raises(DataError, match="records: none of its 1 people has a mask of their own"):
        fitted("detector", boxes, tmp_path / "a")
    joints = dataclasses.replace(people, keypoints=np.full((1, 16, 3), 2, np.float32))
    with pytest.raises(DataError, match="records: 16 joints a person, expected 17 of coco17"):
        fitted("pose", [dataclasses.replace(scenes[0], people=joints)], tmp_path / "a")
    own = write_scenes(tmp_path / "own", scenes, keypoint_set="dancers")
    manifest = tmp_path / "own" / "manifest.json"
    names = [f"joint-{place}" for place in range(17)]
    manifest.write_text(
        manifest.read_text().replace('"keypoint_names": []', f'"keypoint_names": {names}'.replace("'", '"'))
    )
    with pytest.raises(DataError, match="own: joints of the set 'dancers', expected one of lip16, coco17"):
        fit_pose(type(own)(own.folder), PoseFit(**FIT), 3, tmp_path / "a", tmp_path, lambda *_: None)


def test_images_without_people_are_background(scenes, tmp_path):
    empty = dataclasses.replace(scenes[0], people=People.empty())
    fitted("detector", [empty, scenes[1], empty], tmp_path / "a", steps=2, batch_size=3)
