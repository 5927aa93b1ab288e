"""Judging: the numbers of pycocotools run by hand on a JSON file, and the counts."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.records import People
from pipeline.rle import encode_rle
from trainer.teachers.judge import judge_detector, judge_found, judge_pose, mask_ap


class Remembering:
    """A detector and pose estimator with an answer per image, given in turn."""

    teacher_id = "fake"
    keypoint_set = "coco17"

    def __init__(self, answers):
        self.answers = iter(answers)

    def detect(self, image):
        return next(self.answers)

    def estimate(self, image, boxes):
        return next(self.answers)[: len(boxes)]


def shifted(people: People, pixels: int, score: float) -> People:
    masks = [encode_rle(np.roll(people.mask(row), pixels, axis=1)) for row in range(len(people))]
    scores = score - 0.1 * np.arange(len(people))
    return People.build(people.ids, people.boxes + np.array([pixels, 0, 0, 0]), scores=scores, rles=masks)


def coco_by_hand(tmp_path, scenes, results, kind):
    annotations = [
        {
            "id": 100 * (index + 1) + row,
            "image_id": index,
            "category_id": 1,
            "bbox": scene.people.boxes[row].tolist(),
            "area": float(coco_mask.area(scene.people.rles[row])),
            "iscrowd": 0,
            "segmentation": scene.people.rles[row],
            "keypoints": scene.people.keypoints[row].ravel().tolist(),
            "num_keypoints": int((scene.people.keypoints[row, :, 2] > 0).sum()),
        }
        for index, scene in enumerate(scenes)
        for row in range(len(scene.people))
    ]
    images = [{"id": index, "height": 60, "width": 80} for index in range(len(scenes))]
    path = tmp_path / "truth.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]})
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def test_mask_ap_is_coco_s_own(scenes, tmp_path):
    found = [shifted(scene.people, index, 0.9 - 0.01 * index) for index, scene in enumerate(scenes)]
    results = [
        {"image_id": index, "category_id": 1, "segmentation": people.rles[row], "score": float(people.scores[row])}
        for index, people in enumerate(found)
        for row in range(len(people))
    ]
    stats = coco_by_hand(tmp_path, scenes, results, "segm")
    assert mask_ap(scenes, found) == (stats[0], stats[1])
    assert 0.2 < stats[0] < 0.9


def test_oks_ap_is_coco_s_own(scenes, tmp_path):
    random = np.random.default_rng(0)
    joints = [scene.people.keypoints + random.normal(0, 1.5, (1, 1, 3)) * [1, 1, 0] for scene in scenes]
    for answer in joints:
        answer[..., 2] = random.random(answer.shape[:2])
    results = [
        {
            "image_id": index,
            "category_id": 1,
            "keypoints": np.concatenate([person[:, :2], np.full((17, 1), 2)], axis=1).ravel().tolist(),
            "score": float(person[:, 2].mean()),
        }
        for index, answer in enumerate(joints)
        for person in answer
    ]
    stats = coco_by_hand(tmp_path, scenes, results, "keypoints")
    judged = judge_pose(scenes, Remembering(joints))
    assert (judged["oks_ap"], judged["oks_ap50"]) == (stats[0], stats[1])
    assert 0.1 < stats[0] < 1
    assert judged["people"] == 9


def test_perfect_people_get_full_marks(scenes):
    judged = judge_detector(scenes, Remembering([scene.people for scene in scenes]), score=0.5, mask_nms=0.5)
    assert judged == {
        "mask_ap": pytest.approx(1),
        "mask_ap50": pytest.approx(1),
        "recall": 1,
        "false_share": 0,
        "mask_iou": 1,
        "people": 9,
    }


def test_the_score_limit_decides_recall_but_not_ap(scenes):
    found = [shifted(scene.people, 0, 0.6) for scene in scenes]  # second people have 0.5
    loose, strict = (judge_found(scenes, found, score, mask_nms=0.5) for score in (0.1, 0.55))
    assert (loose["recall"], strict["recall"]) == (1, pytest.approx(6 / 9))
    assert loose["mask_ap"] == strict["mask_ap"]


def test_nothing_found_and_nobody_there(scenes):
    judged = judge_found(scenes, [People.empty()] * 6, 0.5, 0.5)
    assert (judged["mask_ap"], judged["recall"], judged["false_share"]) == (0, 0, 0)
    assert math.isnan(mask_ap([], [])[0])
