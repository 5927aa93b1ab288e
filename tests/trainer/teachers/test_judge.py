"""Judging: the numbers of pycocotools run by hand on JSON files, and the counts."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.images import encode_png
from pipeline.records import ImageRecord, People
from pipeline.rle import encode_rle
from pipeline.taxonomy import KEYPOINT_SETS, convert_keypoints
from tests.trainer.teachers.conftest import write_scenes
from trainer.teachers.judge import judge_detector, judge_found, judge_pose, people_ap

HEIGHT, WIDTH = 200, 240


class Remembering:
    """A detector and pose estimator with an answer per image, given in turn."""

    teacher_id = "fake"
    keypoint_set = "coco17"

    def __init__(self, answers):
        self.answers = iter(answers)

    def detect_many(self, images):
        return [next(self.answers) for _ in images]

    def estimate_many(self, images, boxes):
        return [next(self.answers)[: len(rows)] for rows in boxes]


def shifted(people: People, pixels: int, score: float) -> People:
    masks = [encode_rle(np.roll(people.mask(row), pixels, axis=1)) for row in range(len(people))]
    scores = score - 0.1 * np.arange(len(people))
    return People.build(people.ids, people.boxes + np.array([pixels, 0, 0, 0]), scores=scores, rles=masks)


def ellipse(random: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    cy, cx = random.uniform(20, HEIGHT - 20), random.uniform(20, WIDTH - 20)
    return ((y - cy) / random.uniform(8, 70)) ** 2 + ((x - cx) / random.uniform(5, 50)) ** 2 <= 1


def random_scenes(seed: int, images: int = 10) -> tuple[list[ImageRecord], list[People], list[np.ndarray]]:
    """Records with crowds and people of whom only the box is known; people found near them and elsewhere; joints."""
    random = np.random.default_rng(seed)
    blank = encode_png(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    records, found, joints = [], [], []
    for image in range(images):
        masks = [ellipse(random) for _ in range(int(random.integers(0, 5)))]
        boxes = np.array([coco_mask.toBbox(encode_rle(mask)) for mask in masks]).reshape(-1, 4)
        points = boxes[:, None, :2] + random.random((len(masks), 17, 2)) * boxes[:, None, 2:]
        shown = random.integers(0, 3, (len(masks), 17, 1))
        shown[random.random(len(masks)) < 0.2] = 0
        people = People.build(
            range(1, len(masks) + 1),
            boxes,
            crowd=random.random(len(masks)) < 0.2,
            rles=[None if random.random() < 0.2 else encode_rle(mask) for mask in masks],
            keypoints=np.concatenate([points, shown], axis=2) * (shown > 0),
            num_keypoints=17,
        )
        records.append(ImageRecord(str(image), "toy", "val", blank, f"{image}.png", WIDTH, HEIGHT, None, None, people))
        guesses = [np.roll(mask, random.integers(-6, 7, 2), axis=(0, 1)) for mask in masks if random.random() < 0.8]
        guesses += [ellipse(random) for _ in range(image % 3)]
        found.append(
            People.build(
                range(1, len(guesses) + 1),
                [coco_mask.toBbox(encode_rle(mask)) + random.normal(0, 1, 4) for mask in guesses],
                scores=random.uniform(0.05, 1, len(guesses)),
                rles=[encode_rle(mask) for mask in guesses],
            )
        )
        asked = np.flatnonzero((shown[..., 0] > 0).any(axis=1) & ~people.crowd)
        near = points[asked] + random.normal(0, 0.06, (len(asked), 17, 2)) * boxes[asked, None, 2:]
        joints.append(np.concatenate([near, random.random((len(asked), 17, 1))], axis=2).astype(np.float32))
    return records, found, joints


def by_hand(tmp_path, records, results, kind) -> np.ndarray:
    """COCOeval of JSON files whose people have other ids, in another order than ours."""
    annotations = []
    for index, record in enumerate(records):
        people = record.people
        for row in reversed(range(len(people))):
            rle, box = people.rles[row], people.boxes[row].tolist()
            x, y, w, h = box
            annotations.append(
                {
                    "id": 1000 - len(annotations),
                    "image_id": 70 + index,
                    "category_id": 1,
                    "bbox": box,
                    "area": w * h if rle is None else float(coco_mask.area(rle)),
                    "iscrowd": int(people.crowd[row] or (rle is None and kind == "segm")),
                    "segmentation": [[x, y, x, y + h, x + w, y + h, x + w, y]] if rle is None else rle,
                    "keypoints": people.keypoints[row].ravel().tolist(),
                    "num_keypoints": int((people.keypoints[row, :, 2] > 0).sum()),
                }
            )
    images = [{"id": 70 + index, "height": r.height, "width": r.width} for index, r in enumerate(records)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
    (tmp_path / "truth.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(
        json.dumps([{**result, "image_id": 70 + result["image_id"], "category_id": 1} for result in results])
    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "truth.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize("seed", range(3))
def test_mask_and_box_ap_are_cocoeval_s_own(seed, tmp_path):
    records, found, _ = random_scenes(seed)
    judged = judge_detector(records, Remembering(found), score=0.5, mask_nms=0.5)
    rows = [(index, people, row) for index, people in enumerate(found) for row in range(len(people))]
    names = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large")
    for name, kind in (("mask", "segm"), ("box", "bbox")):
        results = [
            {"image_id": index, "score": float(people.scores[row])}
            | ({"segmentation": people.rles[row]} if kind == "segm" else {"bbox": people.boxes[row].tolist()})
            for index, people, row in rows
        ]
        expected = [value if value > -1 else math.nan for value in by_hand(tmp_path, records, results, kind)[:6]]
        ours = [judged[f"{name}_{key}"] for key in names]
        assert ours == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert 0.05 < judged[f"{name}_ap"] < 0.9


@pytest.mark.parametrize("seed", range(3))
def test_oks_ap_is_cocoeval_s_own(seed, tmp_path):
    records, _, joints = random_scenes(seed)
    results = [
        {
            "image_id": index,
            "keypoints": [number for x, y, _ in person.tolist() for number in (x, y, 1)],
            "score": float(person[:, 2].mean()),
        }
        for index, people in enumerate(joints)
        for person in people
    ]
    judged = judge_pose(records, Remembering(joints))
    expected = [value if value > -1 else math.nan for value in by_hand(tmp_path, records, results, "keypoints")[:5]]
    ours = [judged[f"oks_{key}"] for key in ("ap", "ap50", "ap75", "ap_medium", "ap_large")]
    assert ours == pytest.approx(expected, abs=1e-6, nan_ok=True)
    assert 0.1 < judged["oks_ap"] < 0.95
    assert judged["people"] == len(results)


def test_more_images_than_go_through_at_once_keep_their_order():
    records, found, _ = random_scenes(5, images=40)
    assert people_ap(records, found) == pytest.approx(
        {k: v for k, v in judge_detector(records, Remembering(found), 0.5, 0.5).items() if "_ap" in k}, nan_ok=True
    )
    exact = [record.people.keypoints for record in records]
    rows = [np.flatnonzero((k[..., 2] > 0).any(axis=1) & ~r.people.crowd) for k, r in zip(exact, records, strict=True)]
    exact = [known[chosen] for known, chosen in zip(exact, rows, strict=True)]
    assert judge_pose(records, Remembering(exact))["oks_ap"] == pytest.approx(1)


def test_perfect_people_get_full_marks(scenes):
    judged = judge_detector(scenes, Remembering([scene.people for scene in scenes]), score=0.5, mask_nms=0.5)
    none = pytest.approx(math.nan, nan_ok=True)  # all these people are small
    marks = {**dict.fromkeys(("ap", "ap50", "ap75", "ap_small"), pytest.approx(1)), "ap_medium": none, "ap_large": none}
    expected = {f"{name}_{key}": mark for name in ("mask", "box") for key, mark in marks.items()}
    assert judged == expected | {"recall": 1, "false_share": 0, "mask_iou": 1, "people": 9}


def test_joints_of_lip_judge_a_coco_estimator_by_what_both_have(tmp_path, scenes):
    lip = [
        convert_keypoints(scene.people.keypoints, KEYPOINT_SETS["coco17"], KEYPOINT_SETS["lip16"]) for scene in scenes
    ]
    shards = write_scenes(tmp_path / "lip", scenes, keypoints=lip, keypoint_set="lip16")
    answers = [scene.people.keypoints for scene in scenes]
    judged = judge_pose(shards, Remembering(answers))
    assert (judged["oks_ap"], judged["people"]) == (pytest.approx(1), 9)
    wrong = [answer[:, ::-1] for answer in answers]
    assert judge_pose(shards, Remembering(wrong))["oks_ap"] < 0.1


def test_the_score_limit_decides_recall_but_not_ap(scenes):
    found = [shifted(scene.people, 0, 0.6) for scene in scenes]  # second people have 0.5
    loose, strict = (judge_found(scenes, found, score, mask_nms=0.5) for score in (0.1, 0.55))
    assert (loose["recall"], strict["recall"]) == (1, pytest.approx(6 / 9))
    assert loose["mask_ap"] == strict["mask_ap"]


def test_nothing_found_and_nobody_there(scenes):
    judged = judge_found(scenes, [People.empty()] * 6, 0.5, 0.5)
    assert (judged["mask_ap"], judged["box_ap"], judged["recall"], judged["false_share"]) == (0, 0, 0, 0)
    assert math.isnan(people_ap([], [])["mask_ap"])
    assert math.isnan(judge_pose([], Remembering([]))["oks_ap"])
