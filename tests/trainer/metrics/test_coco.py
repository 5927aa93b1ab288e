"""OKS AP: COCOeval run by hand on JSON files, and values by hand."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.taxonomy import KEYPOINT_SETS
from trainer.metrics import keypoint_ap
from trainer.metrics.coco import oks_sigmas


def random_people(seed: int):
    """Images of people of many sizes, some in crowds, some without a joint; predictions near them, and false ones."""
    random = np.random.default_rng(seed)
    predictions, truths = [], []
    for image in range(12):
        people = int(random.integers(0, 5))
        sides = random.uniform(25, 180, (people, 2))
        corners = random.uniform(0, 300, (people, 2))
        points = corners[:, None] + random.random((people, 17, 2)) * sides[:, None]
        shown = random.integers(0, 3, (people, 17))
        shown[random.random(people) < 0.2] = 0
        joints = np.concatenate([points, shown[..., None]], axis=2) * (shown[..., None] > 0)
        truths.append(
            {
                "keypoints": joints,
                "areas": sides.prod(axis=1) * 0.6,
                "boxes": np.concatenate([corners, sides], axis=1),
                "crowd": random.random(people) < 0.2,
            }
        )
        near = points + random.normal(0, 1, points.shape) * sides[:, None] * random.uniform(0, 0.1, (people, 1, 1))
        far = random.uniform(0, 300, (image % 3, 17, 2))
        found = np.concatenate([near, far])
        predictions.append({"keypoints": found, "scores": random.random(len(found))})
    return predictions, truths


def by_hand(predictions, truths, tmp_path) -> np.ndarray:
    annotations, results = [], []
    for image, (found, true) in enumerate(zip(predictions, truths, strict=True)):
        for row, joints in enumerate(true["keypoints"]):
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image + 50,
                    category_id=7,
                    bbox=true["boxes"][row].tolist(),
                    area=float(true["areas"][row]),
                    iscrowd=int(true["crowd"][row]),
                    keypoints=joints.ravel().tolist(),
                    num_keypoints=int((joints[:, 2] > 0).sum()),
                )
            )
        for joints, score in zip(found["keypoints"], found["scores"], strict=True):
            flat = [number for x, y in joints for number in (x, y, 1)]
            results.append(dict(image_id=image + 50, category_id=7, keypoints=flat, score=float(score)))
    images = [{"id": image + 50} for image in range(len(truths))]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 7, "name": "person"}]}
    (tmp_path / "truth.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "truth.json"))
        evaluation = COCOeval(coco, coco.loadRes(str(tmp_path / "results.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(4))
def test_oks_ap_is_cocoeval_s_own(seed, tmp_path):
    predictions, truths = random_people(seed)
    scores = keypoint_ap(predictions, truths)
    stats = by_hand(predictions, truths, tmp_path)
    assert list(scores) == ["ap", "ap50", "ap75", "ap_medium", "ap_large"]
    assert list(scores.values()) == pytest.approx(list(100 * stats[:5]), abs=1e-9)
    assert 5 < scores["ap"] < 95


def test_a_joint_off_by_its_constant_has_the_oks_of_the_definition():
    # One nose, off by d: OKS = exp(-d^2 / (2 s (2 * 0.026)^2)) = 0.7 -> right at .50 ... .70, five of ten thresholds.
    joints = np.zeros((1, 17, 3))
    joints[0, 0] = (50, 50, 2)
    area = 10000.0
    guess = joints[..., :2].copy()
    for oks, share in ((0.71, 50), (0.69, 40)):
        guess[0, 0, 0] = 50 + math.sqrt(-math.log(oks) * 2 * area * (2 * 0.026) ** 2)
        scores = keypoint_ap(
            [{"keypoints": guess, "scores": np.array([0.3])}], [{"keypoints": joints, "areas": np.array([area])}]
        )
        assert scores["ap"] == pytest.approx(share)
        assert (scores["ap50"], scores["ap75"], scores["ap_large"]) == (pytest.approx(100), 0, pytest.approx(share))
        assert math.isnan(scores["ap_medium"])  # nobody of that size


def test_constants_go_by_the_joint_s_name():
    coco = [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]
    assert oks_sigmas(KEYPOINT_SETS["coco17"]).tolist() == [value / 1000 for value in coco]
    lip = [89, 87, 107, 107, 87, 89, 107, 79, 79, 79, 62, 72, 79, 79, 72, 62]
    assert oks_sigmas(KEYPOINT_SETS["lip16"]).tolist() == [value / 1000 for value in lip]


def test_another_keypoint_set_is_judged_by_its_own_joints():
    random = np.random.default_rng(1)
    joints = np.concatenate([random.uniform(0, 200, (3, 16, 2)), np.full((3, 16, 1), 2.0)], axis=2)
    truth = [{"keypoints": joints, "areas": np.full(3, 4e4)}]
    perfect = [{"keypoints": joints, "scores": np.ones(3)}]
    assert keypoint_ap(perfect, truth, "lip16")["ap"] == pytest.approx(100)
    with pytest.raises(ValueError, match=r"truths\[0\]: keypoints of shape \(3, 16, 3\), expected \(N, 17, 3\)"):
        keypoint_ap(perfect, truth)


def test_nothing_found_and_nobody_there():
    joints = np.full((1, 17, 3), 2.0)
    nobody = {"keypoints": np.zeros((0, 17, 3)), "scores": np.zeros(0)}
    assert keypoint_ap([nobody], [{"keypoints": joints, "areas": np.array([5e4])}])["ap"] == 0
    assert math.isnan(keypoint_ap([nobody], [{"keypoints": nobody["keypoints"], "areas": np.zeros(0)}])["ap"])


@pytest.mark.parametrize(
    "guess, truth, message",
    [
        ({"scores": np.ones(2)}, {}, r"predictions\[0\]: scores of shape \(2,\), expected \(1,\)"),
        ({"keypoints": np.ones((1, 17, 1))}, {}, r"predictions\[0\]: keypoints of shape \(1, 17, 1\)"),
        ({}, {"areas": np.ones(2)}, r"truths\[0\]: areas of shape \(2,\), expected \(1,\)"),
        ({}, {"boxes": np.ones((1, 3))}, r"truths\[0\]: boxes of shape \(1, 3\), expected \(1, 4\)"),
        ({}, {"crowd": [True, False]}, r"truths\[0\]: crowd of shape \(2,\), expected \(1,\)"),
    ],
)
def test_what_does_not_fit_is_named(guess, truth, message):
    joints = np.ones((1, 17, 3))
    with pytest.raises(ValueError, match=message):
        keypoint_ap(
            [{"keypoints": joints, "scores": np.ones(1), **guess}],
            [{"keypoints": joints, "areas": np.ones(1), **truth}],
        )


def test_lists_of_other_lengths_are_named():
    with pytest.raises(ValueError, match="predictions: 0 images, expected the 1 of the truths"):
        keypoint_ap([], [{"keypoints": np.zeros((0, 17, 3)), "areas": np.zeros(0)}])
