"""Targets made in batches equal those of pipeline.labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.labels import edge_map, gaussian_heatmaps
from pipeline.params import Heatmaps
from trainer.data.batch import Batch
from trainer.data.targets import batch_edges, batch_heatmaps, make_targets


def blobs(random, hw):
    """Coarse random labels with some ignored pixels."""
    coarse = random.integers(0, 5, (hw[0] // 3 + 1, hw[1] // 3 + 1)).astype(np.uint8)
    mask = coarse.repeat(3, 0).repeat(3, 1)[: hw[0], : hw[1]].copy()
    mask[random.random(hw) < 0.05] = 255
    return mask


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("hw", [(24, 16), (13, 29), (1, 7)])
def test_edges_equal_edge_map(width, hw):
    random = np.random.default_rng(0)
    masks = np.stack([blobs(random, hw) for _ in range(4)])
    expected = np.stack([edge_map(mask, width) for mask in masks])
    assert (batch_edges(torch.from_numpy(masks), width).numpy() == expected).all()


@pytest.mark.parametrize("convention", ["corrpm", "mula", "exact"])
@pytest.mark.parametrize("space", [None, "cells", "input"])
@pytest.mark.parametrize("stride", [4, 8])
def test_heatmaps_equal_gaussian_heatmaps(convention, space, stride):
    random = np.random.default_rng(0)
    heatmaps = Heatmaps(size=(12, 10), stride=stride, sigma=5.0, sigma_space=space, convention=convention)
    keypoints = random.uniform(-5, 60, (3, 6, 3)).astype(np.float32)
    keypoints[..., 2] = random.integers(0, 3, (3, 6))
    keypoints[0, 0] = (np.nan, np.nan, 0)
    got = batch_heatmaps(torch.from_numpy(keypoints), (12, 10), heatmaps)
    assert got.dtype == torch.float32
    for person, maps in zip(keypoints, got.numpy(), strict=True):
        expected = gaussian_heatmaps(person, (12, 10), stride, 5.0, space, convention)[:6]
        np.testing.assert_allclose(maps, expected, rtol=0, atol=1e-6)


def test_weights_are_zero_for_keypoints_without_label():
    keypoints = torch.tensor([[[5.0, 5, 2], [5, 5, 1], [0, 0, 0]]])
    batch = Batch(torch.zeros(1, 14, 8, 3, dtype=torch.uint8), torch.zeros(1, 14, 8, dtype=torch.uint8), keypoints)
    targets = make_targets(batch, 3, Heatmaps(size=(9, 9), sigma=1.0))
    assert targets.keypoint_weights.tolist() == [[1, 1, 0]]
    assert targets.heatmaps.shape == (1, 3, 4, 2)  # of the input, rounded up; heatmaps.size is the stored ones'
    assert not targets.heatmaps[0, 2].any()
    assert targets.parsing.dtype == targets.edges.dtype == torch.int64


def make_batch(keypoints):
    size = (len(keypoints), 16, 12)
    return Batch(torch.zeros(*size, 3, dtype=torch.uint8), torch.zeros(size, dtype=torch.uint8), keypoints)


def test_background_is_what_the_joints_leave_as_mulas_heatmaps_have_it():
    keypoints = torch.tensor([[[5.0, 5, 2], [9, 12, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]])
    heatmaps = Heatmaps(size=(4, 3), stride=4, sigma=7.0, convention="mula")
    targets = make_targets(make_batch(keypoints), 3, heatmaps, background=True)
    expected = np.stack([gaussian_heatmaps(person.numpy(), (4, 3), convention="mula") for person in keypoints])
    np.testing.assert_allclose(targets.heatmaps.numpy(), expected, rtol=0, atol=1e-6)
    assert targets.keypoint_weights.tolist() == [[1, 1, 0, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("background", [False, True])
def test_keypoints_without_label_may_be_pulled_to_zero_maps(background):
    keypoints = torch.tensor([[[5.0, 5, 2], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    heatmaps = Heatmaps(size=(4, 3), stride=4, sigma=1.0)
    targets = make_targets(make_batch(keypoints), 3, heatmaps, background=background, missing="zero")
    assert targets.keypoint_weights.tolist() == [[1] * (2 + background)] * 2
    assert not targets.heatmaps[0, 1].any() and not targets.heatmaps[1, :2].any()
    assert targets.heatmaps[0, 0].any()
