"""Eq. 4 by hand."""

from __future__ import annotations

import math

import pytest
import torch

from pipeline.params import Loss
from trainer.losses import Targets, edge_loss, parsing_loss, pose_loss, training_loss
from trainer.models import Prediction


def test_parsing_loss_is_the_mean_over_labelled_pixels():
    logits = torch.tensor([[[[0.0, math.log(3.0)]], [[0.0, 0.0]]]])  # (1, 2, 1, 2): p = (1/2, 1/2) and (3/4, 1/4)
    assert parsing_loss(logits, torch.tensor([[[0, 1]]]), align_corners=True) == pytest.approx(
        (math.log(2) + math.log(4)) / 2
    )
    assert parsing_loss(logits, torch.tensor([[[255, 1]]]), align_corners=True) == pytest.approx(math.log(4))
    assert parsing_loss(logits, torch.tensor([[[255, 255]]]), align_corners=True) == 0


@pytest.mark.parametrize(("align", "middle"), [(True, [0.0, 1 / 3, 2 / 3, 1.0]), (False, [0.0, 0.25, 0.75, 1.0])])
def test_logits_are_resized_as_told(align, middle):
    logits = torch.tensor([[[[0.0, 1.0]], [[0.0, 0.0]]]])
    by_hand = sum(math.log(1 + math.exp(-value)) for value in middle) / 4
    assert parsing_loss(logits, torch.zeros(1, 1, 4, dtype=torch.long), align_corners=align) == pytest.approx(by_hand)


def test_edge_loss_weighs_each_class_by_the_others_share():
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1, 0, 0] = math.log(3.0)  # p(edge) = 3/4 at the one edge pixel, 1/2 elsewhere
    edges = torch.tensor([[[1, 0], [0, 0]]])
    by_hand = (0.75 * math.log(4 / 3) + 3 * 0.25 * math.log(2)) / (0.75 + 3 * 0.25)
    assert edge_loss(logits, edges, align_corners=True) == pytest.approx(by_hand)


def test_the_texts_edge_loss_weighs_all_pixels_alike():
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1, 0, 0] = math.log(3.0)  # p(edge) = 3/4 at the one edge pixel, 1/2 elsewhere
    edges = torch.tensor([[[1, 0], [0, 0]]])
    by_hand = (math.log(4 / 3) + 3 * math.log(2)) / 4
    assert edge_loss(logits, edges, align_corners=True, weighted=False) == pytest.approx(by_hand)
    prediction = Prediction([torch.zeros(1, 2, 2, 2)], [logits])
    targets = Targets(edges, edges, torch.zeros(1, 1, 2, 2), torch.ones(1, 1))
    parts = training_loss(prediction, targets, Loss(edge="plain"), align_corners=True)[1]
    assert parts["edge"] == pytest.approx(by_hand)


def test_edge_weights_are_those_of_the_batch_not_of_the_image():
    """Three of eight pixels are edges: they weigh 5/8, the others 3/8, whichever image they lie in."""
    logits = torch.zeros(2, 2, 2, 2)
    logits[0, 1] = math.log(3.0)  # image 0: p(edge) = 3/4; image 1: 1/2
    edges = torch.tensor([[[1, 1], [1, 0]], [[0, 0], [0, 0]]])
    by_hand = 3 * 5 / 8 * math.log(4 / 3) + 3 / 8 * math.log(4) + 4 * 3 / 8 * math.log(2)
    assert edge_loss(logits, edges, align_corners=True) == pytest.approx(by_hand / (3 * 5 / 8 + 5 * 3 / 8))


def test_edge_loss_of_a_batch_without_edges_is_zero_and_finite():
    logits = torch.randn(1, 2, 4, 4, requires_grad=True)
    loss = edge_loss(logits, torch.zeros(1, 4, 4, dtype=torch.long), align_corners=True)
    loss.backward()
    assert loss == 0
    assert logits.grad.isfinite().all()


def test_pose_loss_leaves_out_keypoints_without_label():
    heatmaps = torch.tensor([[[[1.0, 3.0]], [[9.0, 9.0]]]])
    truth = torch.zeros(1, 2, 1, 2)
    assert pose_loss(heatmaps, truth, torch.tensor([[1.0, 0.0]]), align_corners=True) == pytest.approx(5)
    assert pose_loss(heatmaps, truth, torch.ones(1, 2), align_corners=True) == pytest.approx((5 + 81) / 2)
    assert pose_loss(heatmaps, truth, torch.zeros(1, 2), align_corners=True) == 0


def test_total_is_the_weighted_sum_of_the_parts():
    torch.manual_seed(0)
    prediction = Prediction(
        [torch.randn(1, 3, 2, 2) for _ in range(2)], [torch.randn(1, 2, 2, 2)], [torch.randn(1, 2, 2, 2)]
    )
    parsing = torch.randint(0, 3, (1, 4, 4))
    targets = Targets(parsing, (parsing > 1).long(), torch.rand(1, 2, 2, 2), torch.ones(1, 2))
    total, parts = training_loss(prediction, targets, Loss(alpha=2, beta=70, coarse=0.5), align_corners=True)
    assert set(parts) == {"parsing_refined", "parsing_coarse", "edge", "pose"}
    assert parts["parsing_refined"] == parsing_loss(prediction.parsing[1], parsing, align_corners=True)
    assert parts["parsing_coarse"] == parsing_loss(prediction.parsing[0], parsing, align_corners=True)
    expected = parts["parsing_refined"] + 0.5 * parts["parsing_coarse"] + 2 * parts["edge"] + 70 * parts["pose"]
    assert total == pytest.approx(float(expected))


def test_a_model_without_heads_has_the_refined_loss_alone():
    parsing = torch.zeros(1, 4, 4, dtype=torch.long)
    targets = Targets(parsing, parsing, torch.zeros(1, 1, 2, 2), torch.ones(1, 1))
    total, parts = training_loss(Prediction([torch.zeros(1, 2, 2, 2)]), targets, Loss(), align_corners=False)
    assert list(parts) == ["parsing_refined"]
    assert total == pytest.approx(math.log(2))


def test_mulas_loss_is_that_of_its_code():
    """Per stage the mean squared error of all maps and 0.01 of the parsing's cross entropy."""
    torch.manual_seed(0)
    prediction = Prediction([torch.randn(2, 3, 4, 4) for _ in range(3)], pose=[torch.randn(2, 3, 4, 4) for _ in "123"])
    parsing = torch.randint(0, 3, (2, 4, 4))
    targets = Targets(parsing, (parsing > 1).long(), torch.rand(2, 3, 4, 4), torch.ones(2, 3))
    weights = Loss(refined=0.01, coarse=0.01, beta=1.0)
    total, parts = training_loss(prediction, targets, weights, align_corners=True)
    by_hand = sum(
        torch.nn.functional.mse_loss(maps, targets.heatmaps) + 0.01 * torch.nn.functional.cross_entropy(logits, parsing)
        for maps, logits in zip(prediction.pose, prediction.parsing, strict=True)
    )
    assert total == pytest.approx(float(by_hand))
    assert set(parts) == {"parsing_refined", "parsing_coarse", "pose"}


def test_coarse_of_zero_is_table_2s_row_without_its_loss():
    prediction = Prediction([torch.randn(1, 3, 2, 2, requires_grad=True) for _ in range(2)])
    parsing = torch.randint(0, 3, (1, 4, 4))
    targets = Targets(parsing, parsing, torch.zeros(1, 1, 2, 2), torch.ones(1, 1))
    training_loss(prediction, targets, Loss(coarse=0.0), align_corners=True)[0].backward()
    assert not prediction.parsing[0].grad.any() and prediction.parsing[1].grad.any()
