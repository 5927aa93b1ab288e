"""The teacher against annotated joints on crops: OKS AP as COCOeval has it, PCKh by hand."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.geometry.affine import translation
from pipeline.images import encode_png
from pipeline.pose.base import PoseSettings
from pipeline.records import Sample
from pipeline.steps.estimating import RawJoints
from pipeline.taxonomy import KEYPOINT_SETS, KeypointSet
from tests.trainer.builders import make_sample
from trainer.teachers import judge_crops

COCO17 = KEYPOINT_SETS["coco17"]


class Teacher:
    """Tells joints that were prepared, person by person in the order of the crops, and notes what it was asked."""

    teacher_id, keypoint_set, settings, halvings = "toy", "coco17", PoseSettings(), 0

    def __init__(self, joints: Sequence[np.ndarray]) -> None:
        self.joints, self.boxes = list(joints), []

    def estimate_many(self, images, boxes):
        self.boxes += [rows.tolist() for rows in boxes]
        start = len(self.boxes) - len(boxes)
        return [self.joints[start + place][None].astype(np.float32) for place in range(len(boxes))]


@pytest.fixture
def judge_on_crops(tmp_path):
    def judge(crops, teacher, annotated, most):
        return judge_crops.judge_on_crops(crops, RawJoints(teacher, tmp_path), annotated, most)

    return judge


def crop(number: int, keypoints: np.ndarray | None, shift=(0, 0), source: str = "", **fields) -> Sample:
    plain = make_sample(number, masked=False)
    box = np.array([shift[0] + 2, shift[1] + 3, 25, 40], np.float32)
    return replace(
        plain, keypoints=keypoints, to_source=translation(*shift), source_id=source or f"{number}", box=box, **fields
    )


def random_people(count: int) -> tuple[list[Sample], list[np.ndarray]]:
    """Crops of several sources with joints, and a teacher's guesses from near to far."""
    random, crops, found = np.random.default_rng(4), [], []
    for number in range(count):
        joints = np.column_stack([random.uniform(0, [32, 48], (17, 2)), random.integers(0, 3, 17)]).astype(np.float32)
        if number == 5:
            joints[:, 2] = 0  # nobody to judge
        fields = {}
        if number % 3 == 0:
            ids = (random.random((48, 32)) < 0.4).astype(np.uint8) * 2
            fields = {"people_map": encode_png(ids), "person": 2}
        elif number % 3 == 1:
            mask = random.choice(np.array([0, 1, 255], np.uint8), (48, 32))
            fields = {"mask": encode_png(mask)}
        shift = (int(random.integers(0, 90)), int(random.integers(0, 90)))
        crops.append(crop(number, joints, shift, f"image {number // 2}", **fields))
        noise = random.normal(0, 0.2 + 0.3 * (number % 5), (17, 2))
        guess = np.column_stack([joints[:, :2] + noise, random.random(17)])
        if number != 5:
            found.append(guess)
    return crops, found


def coco_eval(crops: Sequence[Sample], found: Sequence[np.ndarray], folder) -> np.ndarray:
    """COCOeval from files, everything written out anew."""
    images, annotations, results = {}, [], []
    guesses = iter(found)
    for sample in crops:
        if not (sample.keypoints[:, 2] > 0).any():
            continue
        image = images.setdefault(sample.source_id, len(images) + 1)
        shift = sample.to_source[:, 2]
        if sample.people_map is not None:
            area = int((sample.decode_people() == sample.person).sum())
        elif sample.mask is not None:
            area = int((sample.decode_mask() == 1).sum())
        else:
            area = 25 * 40
        truth, guess = sample.keypoints.astype(float).copy(), next(guesses).astype(np.float32).astype(float)
        truth[:, :2] += shift
        guess[:, :2] += shift
        annotations.append(
            {
                "id": len(annotations) + 1, "image_id": image, "category_id": 1, "iscrowd": 0, "area": area,
                "bbox": sample.box.tolist(), "keypoints": truth.ravel().tolist(),
                "num_keypoints": int((truth[:, 2] > 0).sum()),
            }
        )  # fmt: skip
        results.append(
            {"image_id": image, "category_id": 1, "keypoints": guess.ravel().tolist(), "score": guess[:, 2].mean()}
        )
    content = {
        "images": [{"id": number} for number in images.values()], "annotations": annotations,
        "categories": [{"id": 1, "name": "person"}],
    }  # fmt: skip
    (folder / "truth.json").write_text(json.dumps(content))
    (folder / "found.json").write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "truth.json"))
        evaluation = COCOeval(truth, truth.loadRes(str(folder / "found.json")), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def test_oks_ap_is_that_of_cocoeval(judge_on_crops, tmp_path):
    crops, found = random_people(40)
    judged = judge_on_crops(crops, Teacher(found), COCO17, most=100)
    stats = coco_eval(crops, found, tmp_path)
    assert 0.1 < stats[0] < 0.9  # neither all right nor all wrong
    for name, value in zip(("oks_ap", "oks_ap50", "oks_ap75"), stats[:3], strict=True):
        assert judged[name] == pytest.approx(value, abs=1e-6)
    assert judged["people"] == 39
    assert judged["joints"] == sum(int((sample.keypoints[:, 2] > 0).sum()) for sample in crops)
    assert judged["mean_confidence"] == pytest.approx(np.mean([guess[:, 2] for guess in found]), abs=1e-6)


def test_the_teacher_sees_the_crop_and_the_box_in_it_of_the_first_people_with_joints(judge_on_crops):
    joints = np.full((17, 3), 2, np.float32)
    crops = [crop(0, None), crop(1, joints, (100, 50)), crop(2, joints * [1, 1, 0]), crop(3, joints), crop(4, joints)]
    teacher = Teacher([joints] * 2)
    judged = judge_on_crops(crops, teacher, COCO17, most=2)
    assert teacher.boxes == [[[2, 3, 25, 40]]] * 2
    assert judged["people"] == 2 and judged["oks_ap"] == pytest.approx(1)


@pytest.mark.parametrize(("name", "top"), [("lip16", "head-top"), ("pascal14", "forehead")])
def test_pckh_over_the_shared_joints_of_another_set(judge_on_crops, name, top):
    annotated = KEYPOINT_SETS[name]
    truth = np.zeros((len(annotated), 3), np.float32)
    for joint, value in {
        "neck": (10, 10, 2),
        top: (10, 6, 2),
        "left-knee": (20, 30, 1),
        "right-wrist": (4, 20, 2),
    }.items():
        truth[annotated.keypoint_names.index(joint)] = value
    guess = np.full((17, 3), 0.5)
    guess[COCO17.keypoint_names.index("left-knee"), :2] = 22, 30  # half a head away
    guess[COCO17.keypoint_names.index("right-wrist"), :2] = 4, 22.1
    judged = judge_on_crops([crop(0, truth)], Teacher([guess]), annotated, most=5)
    assert judged == {"pckh": 50, "people": 1, "joints": 2, "mean_confidence": 0.5}


def test_sets_that_cannot_be_compared_are_not_judged(judge_on_crops):
    hands = KeypointSet("hands", ("left-wrist", "right-wrist"), ())
    assert judge_on_crops([crop(0, np.full((2, 3), 2, np.float32))], Teacher([]), hands, most=5) is None
    assert judge_on_crops([crop(0, None)], Teacher([]), COCO17, most=5) is None
    headless = np.zeros((16, 3), np.float32)
    headless[0] = 3, 3, 2
    judged = judge_on_crops([crop(0, headless)], Teacher([np.zeros((17, 3))]), KEYPOINT_SETS["lip16"], most=5)
    assert judged is None
