"""Fitting: the same weights from the same seed, also after a stop; a loss that falls; errors that say where."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.detection.loading import load_detector
from pipeline.detection.mask_rcnn_basic import RcnnOptions
from pipeline.params import DetectorFit, PoseFit
from pipeline.pose.loading import load_estimator
from pipeline.pose.simple_baseline import ARCHITECTURE, PoseOptions
from pipeline.records import People
from pipeline.teacher_file import InputSpec, read_teacher
from trainer.teachers import loop
from trainer.teachers.detector import fit_detector
from trainer.teachers.pose import fit_pose, heatmap_loss

# No fewer than 8 channels: on CPUs without AVX-512, oneDNN's strided 1x1 convolution of fewer, channels last, writes beyond
# its memory (torch 2.15).
RCNN = RcnnOptions(
    widths=(8, 16),
    blocks=(1, 1),
    fpn_channels=8,
    anchor_sizes=(12, 24),
    box_features=16,
    mask_layers=(8,),
    max_people=6,
)
POSE = PoseOptions(widths=(8, 16), blocks=(1, 1), deconv_widths=(16,))
FIT = {"dataset": "toy", "steps": 2, "batch_size": 2, "lr": 1e-3, "warmup_steps": 1, "weight_decay": 0.01, "threads": 1}


class Stop(Exception):
    """A user who loses patience."""


def fitted(kind: str, scenes, out: Path, seed: int = 3, progress=lambda *_: None, **changes) -> bytes:
    if kind == "detector":
        section, spec = DetectorFit(**{**FIT, **changes}), InputSpec(size=(48, 96))
        fit_detector(scenes, section, seed, out, out.parent / "scratch", progress, RCNN, spec)
    else:
        section, spec = PoseFit(**{**FIT, **changes}), InputSpec(size=(32, 24))
        fit_pose(scenes, section, seed, out, out.parent / "scratch", progress, POSE, spec)
    return out.read_bytes()


@pytest.mark.parametrize("kind", ["detector", "pose"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_one_seed_gives_one_file_and_another_another(kind, precision, scenes, tmp_path):
    first = fitted(kind, scenes, tmp_path / "a", precision=precision)
    torch.manual_seed(99)  # the state of the world outside plays no part
    assert fitted(kind, scenes, tmp_path / "b", precision=precision) == first
    assert fitted(kind, scenes, tmp_path / "c", seed=4, precision=precision) != first


@pytest.mark.parametrize("kind", ["detector", "pose"])
def test_a_stopped_fit_goes_on_to_the_same_weights(kind, scenes, tmp_path, monkeypatch):
    whole = fitted(kind, scenes, tmp_path / "whole" / "a", steps=4)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    steps = []

    def stop_at_three(done, total, losses):
        if done == 3:
            raise Stop
        steps.append(done)

    with pytest.raises(Stop):
        fitted(kind, scenes, tmp_path / "cut" / "a", steps=4, progress=stop_at_three)
    assert [path.name for path in (tmp_path / "cut" / "scratch").iterdir()] == [f"fit_{kind}.pt"]
    assert fitted(kind, scenes, tmp_path / "cut" / "a", steps=4, progress=lambda done, *_: steps.append(done)) == whole
    assert steps == [1, 2, 3, 4]
    assert list((tmp_path / "cut" / "scratch").iterdir()) == []


def test_a_checkpoint_of_another_fit_is_not_taken_up(scenes, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

    def stop(done, total, losses):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        fitted("pose", scenes, tmp_path / "a", progress=stop)
    steps = []
    fitted("pose", scenes, tmp_path / "a", lr=2e-3, progress=lambda done, *_: steps.append(done))
    assert steps == [1, 2]


@pytest.mark.parametrize("kind", ["detector", "pose"])
def test_a_loss_that_is_not_finite_stops_with_its_step(kind, scenes, tmp_path):
    with pytest.raises(FloatingPointError, match=r"step [1-9]\d?: the loss is not finite: .*Lower lr"):
        fitted(kind, scenes, tmp_path / "a", steps=60, lr=1e30)
    assert not (tmp_path / "a").exists()


def test_the_pose_network_learns_four_scenes(scenes, tmp_path):
    losses = []
    fitted(
        "pose",
        scenes[:4],
        tmp_path / "a",
        steps=60,
        lr=5e-3,
        progress=lambda done, total, parts: losses.append(parts["heatmaps"]),
    )
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    tool = load_estimator(tmp_path / "a")
    assert tool.estimate(scenes[0].decode_image(), scenes[0].people.boxes).shape == (1, 17, 3)


def test_threads_are_the_section_s_own_and_put_back(scenes, tmp_path):
    before, seen = torch.get_num_threads(), []
    fitted("pose", scenes, tmp_path / "a", threads=before + 1, progress=lambda *_: seen.append(torch.get_num_threads()))
    assert seen == [before + 1] * 2
    assert torch.get_num_threads() == before


def test_a_second_fit_starts_from_the_weights_of_the_first(scenes, tmp_path):
    fitted("pose", scenes, tmp_path / "first")
    section, spec = PoseFit(**{**FIT, "steps": 1, "lr": 1e-12}), InputSpec(size=(32, 24))
    fit_pose(
        scenes, section, 8, tmp_path / "second", tmp_path, lambda *_: None, POSE, spec, start=tmp_path / "first"
    )  # so small a rate that only the statistics of the norms move
    first, second = (read_teacher(tmp_path / name, ARCHITECTURE).tensors for name in ("first", "second"))
    for name in first:
        if "running" not in name:
            np.testing.assert_array_equal(second[name], first[name])


def test_the_detector_s_file_detects(scenes, tmp_path):
    told = []
    fitted(
        "detector", scenes, tmp_path / "a", progress=lambda done, total, parts: told.append((done, total, set(parts)))
    )
    parts = {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}
    assert told == [(1, 2, parts), (2, 2, parts)]
    load_detector(tmp_path / "a").detect(scenes[0].decode_image())


def test_nobody_to_fit_on_is_named(scenes, tmp_path):
    with pytest.raises(ValueError, match="records: none, expected at least one image"):
        fitted("detector", [], tmp_path / "a")
    alone = [dataclasses.replace(scenes[0], people=People.empty(17))]
    with pytest.raises(ValueError, match="records: nobody in them has annotated joints"):
        fitted("pose", alone, tmp_path / "a")
    other = dataclasses.replace(scenes[0].people, keypoints=np.full((1, 16, 3), 2, np.float32))
    with pytest.raises(ValueError, match="records: 16 joints a person, expected 17 of coco17"):
        fitted("pose", [dataclasses.replace(scenes[0], people=other)], tmp_path / "a")


def test_the_detector_fits_on_images_without_people(scenes, tmp_path):
    fitted("detector", [dataclasses.replace(scenes[0], people=People.empty())] * 2, tmp_path / "a", steps=1)


def test_the_rate_rises_then_falls_to_nothing():
    section = PoseFit(**{**FIT, "steps": 110, "warmup_steps": 10, "lr": 1.0})
    rates = [loop.learning_rate(step, section) for step in range(111)]
    assert rates[:2] == pytest.approx([0.1, 0.2])
    assert rates[9:11] == [1, 1]
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0, abs=1e-12)


def test_every_epoch_holds_every_sample_once_in_its_own_order():
    draw = loop.sample_order(seed=5, count=4)
    epochs = [[draw(4 * epoch + place)[0] for place in range(4)] for epoch in range(6)]
    assert all(sorted(epoch) == [0, 1, 2, 3] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert draw(9)[1].random() == loop.sample_order(seed=5, count=4)(9)[1].random()
    assert draw(1)[1].random() != draw(2)[1].random()


def test_joints_without_a_label_bear_no_loss():
    maps, targets = torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)
    targets[0, 0, 1, 1], targets[0, 1, 1, 1] = 2, 50
    assert heatmap_loss(maps, targets, torch.tensor([[1.0, 0.0]])) == 4
    assert heatmap_loss(maps, targets, torch.zeros(1, 2)) == 0
