"""Fitting: the same weights from the same seed, also after a stop; a loss that falls; errors that say where."""

import numpy as np
import pytest
import torch

from pipeline.detection.loading import load_detector
from pipeline.params import PoseFit
from pipeline.pose.loading import load_estimator
from tests.trainer.teachers.conftest import write_scenes
from tests.trainer.teachers.toys import FIT, fitted
from trainer.teachers import loop
from trainer.teachers.pose_lessons import heatmap_loss


@pytest.mark.parametrize("kind", ["detector", "pose"])
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_one_seed_gives_one_file_and_another_another(kind, precision, scenes, tmp_path):
    first = fitted(kind, scenes, tmp_path / "a", precision=precision)
    torch.manual_seed(99)  # the state of the world outside plays no part
    assert fitted(kind, scenes, tmp_path / "b", precision=precision) == first
    assert fitted(kind, scenes, tmp_path / "c", seed=4, precision=precision) != first


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


def test_the_detector_s_file_detects(scenes, tmp_path):
    told = []
    fitted(
        "detector", scenes, tmp_path / "a", progress=lambda done, total, parts: told.append((done, total, set(parts)))
    )
    parts = {"loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg", "loss_mask"}
    assert told == [(1, 2, parts), (2, 2, parts)]
    load_detector(tmp_path / "a").detect(scenes[0].decode_image())


def test_the_rate_rises_then_falls_to_nothing():
    section = PoseFit(**{**FIT, "steps": 110, "warmup_steps": 10, "lr": 1.0})
    rates = [loop.learning_rate(step, section) for step in range(111)]
    assert rates[:2] == pytest.approx([0.1, 0.2])
    assert rates[9:11] == [1, 1]
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0, abs=1e-12)


def test_joints_without_a_label_bear_no_loss():
    maps, targets = torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3)
    targets[0, 0, 1, 1], targets[0, 1, 1, 1] = 2, 50
    assert heatmap_loss(maps, targets, torch.tensor([[1.0, 0.0]])) == 4
    assert heatmap_loss(maps, targets, torch.zeros(1, 2)) == 0


@pytest.mark.parametrize("kind", ["detector", "pose"])
def test_workers_and_shards_change_nothing(kind, scenes, tmp_path):
    alone = fitted(kind, scenes, tmp_path / "a", steps=3)
    shards = write_scenes(tmp_path / "shards", scenes)
    assert fitted(kind, shards, tmp_path / "b", steps=3) == alone
    assert fitted(kind, shards, tmp_path / "c", steps=3, workers=2) == alone


def test_a_frozen_norm_keeps_its_statistics():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(8), torch.nn.BatchNorm2d(8))
    network[0].requires_grad_(False)
    loop._train_mode(network.eval())
    assert [module.training for module in network] == [False, True]
