"""From heatmaps to people: peaks, ways to centroids, grouping, and the whole way on drawn people."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pipeline.labels import gaussian_heatmaps
from trainer.metrics import multi_person_pose_ap
from trainer.multi_person import (
    Candidates,
    centroid_loss,
    centroid_offsets,
    centroid_votes,
    group_by_centroid,
    group_by_crop,
    joint_candidates,
)


def candidates(*rows: tuple[int, float, float, float]) -> Candidates:
    """Rows of joint, x, y, score."""
    table = np.array(rows, float).reshape(-1, 4)
    return Candidates(table[:, 0].astype(int), table[:, 1:3], table[:, 3])


def test_peaks_by_hand() -> None:
    maps = np.zeros((2, 5, 7))
    maps[0, 1, 1], maps[0, 1, 2], maps[0, 4, 6] = 0.9, 0.8, 0.5
    maps[1, 0, 3], maps[1, 2, 3], maps[1, 2, 4] = 0.7, 0.7, 0.7  # equal: the first by rows stays, within the radius
    found = joint_candidates(maps, 0.3, radius=1)
    assert found.joint.tolist() == [0, 1, 1, 0]
    assert found.xy.tolist() == [[1, 1], [3, 0], [3, 2], [6, 4]]
    assert found.score.tolist() == [0.9, 0.7, 0.7, 0.5]
    assert joint_candidates(maps, 0.3, radius=2).xy.tolist() == [[1, 1], [3, 0], [6, 4]]
    assert joint_candidates(maps, 0.6, radius=1).joint.tolist() == [0, 1, 1]


def test_peaks_equal_a_slow_loop() -> None:
    maps = np.random.default_rng(1).random((3, 12, 9))
    by_hand = set()
    for k, y, x in np.ndindex(maps.shape):
        around = maps[k, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        if maps[k, y, x] >= 0.5 and maps[k, y, x] == around.max():
            by_hand.add((k, x, y))
    found = joint_candidates(maps, 0.5, 2)
    assert {(k, *xy) for k, xy in zip(found.joint, found.xy, strict=True)} == by_hand
    assert (np.diff(found.score) <= 0).all()


def test_empty_maps_hold_no_candidates() -> None:
    found = joint_candidates(np.zeros((2, 4, 4)), 0.1, 1)
    assert len(found.joint) == 0 and found.xy.shape == (0, 2)
    assert group_by_centroid(found, found.xy, 2, 1.0).shape == (0, 2, 3)
    assert group_by_crop([], 2, 1.0).shape == (0, 2, 3)


def test_ways_to_the_centroid_by_hand() -> None:
    people = np.array([[[1, 1, 2], [5, 1, 2]], [[3, 3, 1], [0, 0, 0]]], float)  # centroids (3, 1) and (3, 3)
    offsets, cells = centroid_offsets(people, (5, 7), radius=1.0)
    diagonal = math.hypot(5, 7)
    assert offsets.shape == (4, 5, 7) and offsets.dtype == np.float32
    assert offsets[:2, 1, 1] * diagonal == pytest.approx([2, 0])  # joint 0 of person 0
    assert offsets[:2, 2, 1] * diagonal == pytest.approx([2, -1])  # the cell below it
    assert offsets[:2, 3, 3] * diagonal == pytest.approx([0, 0])  # joint 0 of person 1 is its centroid
    assert offsets[2:, 1, 5] * diagonal == pytest.approx([-2, 0])
    assert cells[0].sum() == 10 and cells[1].sum() == 5  # a cross of five cells per joint


def test_a_cell_between_two_people_belongs_to_the_nearer_joint() -> None:
    people = np.array([[[1, 0, 2]], [[4, 0, 2]]], float)
    offsets, _ = centroid_offsets(people, (1, 6), radius=5.0)
    assert offsets[0, 0] * math.hypot(1, 6) == pytest.approx([1, 0, -1, 1, 0, -1])


def test_centroid_loss_by_hand() -> None:
    truth, cells = torch.zeros(1, 2, 1, 3), torch.tensor([[[[True, True, False]]]])
    offsets = torch.tensor([[[[0.5, 2.0, 9.0]], [[0.0, 0.0, 9.0]]]], requires_grad=True)
    loss = centroid_loss(offsets, truth, cells)
    assert loss.item() == pytest.approx((0.5 * 0.25 + (2 - 0.5)) / 4)
    loss.backward()
    assert offsets.grad[..., 2].tolist() == [[[0.0], [0.0]]]
    assert centroid_loss(offsets, truth, torch.zeros_like(cells)) == 0


def test_votes_follow_the_ways_of_their_own_joint() -> None:
    offsets = np.zeros((4, 3, 4), np.float32)
    offsets[2:, 1, 2] = (0.2, -0.4)
    votes = centroid_votes(candidates((1, 2, 1, 0.9), (0, 2, 1, 0.8)), offsets)
    assert votes == pytest.approx(np.array([[2 + 0.2 * 5, 1 - 0.4 * 5], [2, 1]]))


def test_candidates_join_the_person_that_they_point_to() -> None:
    found = candidates(
        (0, 0, 0, 0.9), (0, 10, 0, 0.8), (1, 11, 2, 0.7), (1, 1, 2, 0.6), (0, 1, 1, 0.5), (1, 40, 40, 0.4)
    )
    votes = np.array([[0, 1], [10, 1], [10, 2], [1, 1], [0, 1], [40, 40]], float)
    people = group_by_centroid(found, votes, 2, radius=3.0)
    assert people[:, 0, 0].tolist()[:3] == [0, 10, 1]  # a second joint 0 at the same centroid is another person
    assert people[:2, 1].tolist() == [[1, 2, 0.6], [11, 2, 0.7]]
    assert len(people) == 4 and people[3, 1].tolist() == [40, 40, 0.4] and np.isnan(people[3, 0]).all()
    with pytest.raises(ValueError, match=r"votes: shape \(5, 2\), expected the candidates' \(6, 2\)"):
        group_by_centroid(found, votes[:5], 2, 3.0)


def test_two_crops_that_see_one_body_share_no_joint() -> None:
    first = candidates((0, 5, 5, 0.9), (0, 20, 5, 0.4), (1, 5, 9, 0.6))
    second = candidates((0, 5.5, 5, 0.7), (0, 20, 5, 0.5))
    people = group_by_crop([first, second], 2, radius=2.0)
    assert people[0].tolist() == [[5, 5, 0.9], [5, 9, 0.6]]
    assert people[1, 0].tolist() == [20, 5, 0.5] and np.isnan(people[1, 1]).all()
    assert group_by_crop([first, second], 2, radius=0.0)[1, 0].tolist() == [5.5, 5, 0.7]


def drawn_people() -> np.ndarray:
    """(2, 3, 3) in cells: two people whose joints cross."""
    return np.array([[[6, 6, 2], [14, 10, 2], [8, 20, 2]], [[16, 8, 2], [10, 12, 2], [22, 21, 2]]], float)


def test_the_whole_way_finds_the_drawn_people_again() -> None:
    """Maps that a perfect network would give: peaks, votes and groups give back the people, mAP 100."""
    people = drawn_people()
    maps = np.max([gaussian_heatmaps(person, (28, 28), 1, 1.5, "cells") for person in people], axis=0)
    offsets, _ = centroid_offsets(people, (28, 28), radius=3.0)
    found = joint_candidates(maps, 0.5, radius=2)
    grouped = group_by_centroid(found, centroid_votes(found, offsets), 3, radius=2.0)
    assert sorted(person[:, :2].tolist() for person in grouped) == sorted(people[..., :2].tolist())
    truth = {"keypoints": people[..., :2], "head": np.array([4.0, 4.0])}
    assert multi_person_pose_ap([grouped], [truth])["mean"] == pytest.approx(100)
    # Without the ways, joints of the two people are mixed up.
    mixed = group_by_centroid(found, found.xy, 3, radius=12.0)
    assert multi_person_pose_ap([mixed], [truth])["mean"] < 90


def test_by_crop_the_whole_way_finds_them_too() -> None:
    people, crops = drawn_people(), []
    for person in people:
        shift = person[:, :2].min(0) - 3  # a crop that begins three pixels before the person
        moved = np.column_stack([person[:, :2] - shift, person[:, 2]])
        found = joint_candidates(gaussian_heatmaps(moved, (24, 24), 1, 1.5, "cells"), 0.5, radius=2)
        crops.append(found.moved(found.xy + shift))
    grouped = group_by_crop(crops, 3, radius=1.0)
    truth = {"keypoints": people[..., :2], "head": np.array([4.0, 4.0])}
    assert multi_person_pose_ap([grouped], [truth])["mean"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: joint_candidates(np.zeros((4, 4)), 0.1, 1), r"heatmaps: shape \(4, 4\), expected \(K, h, w\)"),
        (lambda: joint_candidates(np.zeros((1, 4, 4)), 0.1, 0), "radius: 0, expected at least 1 cell"),
        (lambda: centroid_offsets(np.zeros((2, 3)), (4, 4), 1.0), r"keypoints: shape \(2, 3\), expected \(P, K, 3\)"),
    ],
)
def test_what_does_not_fit_is_named(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
