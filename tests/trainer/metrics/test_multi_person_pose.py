"""MPII's multi-person mAP against values by hand and against a loop written from the protocol."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.metrics import multi_person_pose_ap
from trainer.metrics.multi_person_pose import head_sizes

NAN = math.nan


def people(*rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, float)


def truth(*rows: list[tuple[float, float]], head: list[float]) -> dict[str, np.ndarray]:
    return {"keypoints": people(*rows).reshape(len(head), -1, 2), "head": np.array(head, float)}


TWO = truth([(0, 0), (0, 20)], [(100, 0), (100, 20)], head=[10, 10])


def test_perfect_people_score_100():
    found = people([(100, 0, 0.2), (100, 20, 0.9)], [(0, 0, 0.8), (0, 20, 0.1)])
    assert multi_person_pose_ap([found], [TWO]) == {"mean": pytest.approx(100), "joint": [pytest.approx(100)] * 2}


def test_a_case_by_hand():
    """By score, joint 0: right, wrong (a person nobody is), right. Joint 1: right, wrong (5.1 off a limit of 5)."""
    found = people(
        [(3, 4, 0.9), (0, 20, 0.9)],  # person 0; joint 0 lies on the limit of 0.5 x 10
        [(100, 0, 0.3), (100, 25.1, 0.8)],  # person 1
        [(50, 50, 0.5), (NAN, NAN, NAN)],  # nobody, without joint 1
    )
    scores = multi_person_pose_ap([found], [TWO])
    assert scores["joint"] == [pytest.approx(100 * (1 / 2 + 2 / 3 / 2)), pytest.approx(50)]
    assert scores["mean"] == pytest.approx(sum(scores["joint"]) / 2)


def test_the_better_of_two_predictions_is_taken_and_the_other_is_wrong_as_a_whole():
    found = people([(0, 0, 0.9), (0, 40, 0.9)], [(1, 0, 0.5), (1, 20, 0.5)])
    alone = truth([(0, 0), (0, 20)], head=[10])
    # The first hits one joint of two, the second both: the first's hit counts as wrong, with the higher score.
    assert multi_person_pose_ap([found], [alone])["joint"] == [pytest.approx(50), pytest.approx(50)]


def test_a_share_of_the_annotated_joints_decides_not_their_number():
    """One of one annotated joint beats one of two; a joint predicted where none is annotated is wrong."""
    true = truth([(0, 0), (0, 20)], [(4, 0), (NAN, NAN)], head=[10, 10])
    found = people([(2, 0, 0.9), (50, 20, 0.9)])
    scores = multi_person_pose_ap([found], [true])
    assert scores["joint"] == [pytest.approx(50), 0.0]  # person 1 is found, person 0 is missed


def test_images_are_pooled_and_images_without_predictions_count_their_people():
    found = people([(0, 0, 0.9), (0, 20, 0.9)])
    alone = truth([(0, 0), (0, 20)], head=[10])
    nobody = np.zeros((0, 2, 3))
    assert multi_person_pose_ap([found, nobody], [alone, alone])["mean"] == pytest.approx(50)
    empty = {"keypoints": np.zeros((0, 2, 2)), "head": np.zeros(0)}
    better = np.add(found, (0, 0, 0.05))
    assert multi_person_pose_ap([found, better], [alone, empty])["mean"] == pytest.approx(50)


def test_people_without_a_head_size_and_joints_left_out():
    unknown = truth([(0, 0), (0, 20)], [(100, 0), (100, 20)], head=[10, NAN])
    found = people([(0, 0, 0.9), (0, 99, 0.9)])
    assert multi_person_pose_ap([found], [unknown])["joint"] == [pytest.approx(100), 0.0]
    assert multi_person_pose_ap([found], [unknown], joints=[0]) == {"mean": pytest.approx(100), "joint": [100]}
    nothing = truth([(NAN, NAN), (NAN, NAN)], head=[10])
    assert math.isnan(multi_person_pose_ap([found], [nothing])["mean"])
    assert math.isnan(multi_person_pose_ap([], [])["mean"])


def test_head_sizes_are_a_share_of_the_boxes_diagonal():
    assert head_sizes(np.array([[7, 7, 3.0, 4.0], [0, 0, 0, 5]])) == pytest.approx([3.0, NAN], nan_ok=True)


def slow(predictions, truths, threshold):
    """The protocol, person by person and joint by joint."""
    joints = predictions[0].shape[1]
    scores, labels, totals = [[] for _ in range(joints)], [[] for _ in range(joints)], [0] * joints
    for found, true in zip(predictions, truths, strict=True):
        points, head = true["keypoints"], true["head"]

        def hit(p, g, j, found=found, points=points, head=head):
            return math.dist(found[p, j, :2], points[g, j]) / head[g] <= threshold  # nan compares as no hit

        def annotated(g, points=points):
            return sum(not math.isnan(x) for x, _ in points[g])

        pck = [
            [sum(hit(p, g, j) for j in range(joints)) / annotated(g) for g in range(len(points))]
            for p in range(len(found))
        ]
        best = [max(range(len(points)), key=lambda g, row=row: (row[g], -g)) if len(points) else None for row in pck]
        taken = {}
        for g in range(len(points)):
            own = [p for p in range(len(found)) if best[p] == g and pck[p][g] > 0]
            if own:
                taken[max(own, key=lambda p, g=g: (pck[p][g], -p))] = g
        for p in range(len(found)):
            for j in range(joints):
                if not math.isnan(found[p, j, 0]):
                    scores[j].append(found[p, j, 2])
                    labels[j].append(p in taken and hit(p, taken[p], j))
        for j in range(joints):
            totals[j] += sum(not math.isnan(x) for x, _ in points[:, j])
    result = []
    for j in range(joints):
        ranked = [label for _, label in sorted(zip(scores[j], labels[j], strict=True), key=lambda pair: -pair[0])]
        curve = [(sum(ranked[: n + 1]) / totals[j], sum(ranked[: n + 1]) / (n + 1)) for n in range(len(ranked))]
        area, recall = 0.0, 0.0
        for reached, _ in curve:
            area += (reached - recall) * max((precision for other, precision in curve if other >= reached), default=0)
            recall = reached
        result.append(100 * area)
    return result


def test_equals_a_slow_loop():
    random = np.random.default_rng(5)
    predictions, truths = [], []
    for _ in range(25):
        count, true = random.integers(0, 6), random.integers(1, 5)
        points = random.uniform(0, 60, (true, 4, 2))
        points[random.random((true, 4)) < 0.2] = NAN
        points[:, 0] = random.uniform(0, 60, (true, 2))  # at least one joint each
        near = np.nan_to_num(points[random.integers(0, true, count)], nan=30.0) + random.normal(0, 6, (count, 4, 2))
        found = np.concatenate([near, random.random((count, 4, 1))], axis=2)
        found[random.random((count, 4)) < 0.15] = NAN
        predictions.append(found)
        truths.append({"keypoints": points, "head": random.uniform(8, 20, true)})
    scores = multi_person_pose_ap(predictions, truths)
    assert scores["joint"] == pytest.approx(slow(predictions, truths, 0.5))
    assert 5 < scores["mean"] < 95


@pytest.mark.parametrize(
    ("predictions", "truths", "options", "message"),
    [
        ([], [TWO], {}, "predictions: 0 images, truths: 1"),
        ([np.zeros((1, 2, 2))], [TWO], {}, r"predictions\[0\]: shape \(1, 2, 2\), expected \(P, K, 3\)"),
        ([np.zeros((1, 3, 3))], [TWO], {}, r"predictions: \[2, 3\] joints in the images"),
        ([np.zeros((1, 2, 3))], [TWO], {"joints": [2]}, r"joints: \[2\], expected indices from 0 to 1"),
        (
            [np.zeros((1, 2, 3))],
            [{**TWO, "head": np.array([1.0])}],
            {},
            r"truths\[0\]: head \[1.0\], expected 2 positive",
        ),
        ([np.zeros((1, 2, 3))], [{**TWO, "head": np.zeros(2)}], {}, r"truths\[0\]: head"),
        ([np.zeros((1, 2, 3))], [{**TWO, "keypoints": np.zeros((2, 2, 3))}], {}, r"truths\[0\]: keypoints of shape"),
    ],
)
def test_what_does_not_fit_is_named(predictions, truths, options, message):
    with pytest.raises(ValueError, match=message):
        multi_person_pose_ap(predictions, truths, **options)
