"""Each protocol: the truth as answer scores 100, and other answers score what an independent count says."""

from __future__ import annotations

import contextlib
import io
import math
from types import SimpleNamespace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn import metrics as reference

from pipeline.errors import DataError, ParamsError
from pipeline.records import ImageRecord, People
from pipeline.taxonomy import KEYPOINT_SETS
from tests.trainer.metrics.test_part_ap import slow as slow_ap
from tests.trainer.protocols.builders import HW, cut, make_record, write_set
from tests.trainer.protocols.conftest import noisy, truth
from trainer.metrics.coco import oks_sigmas
from trainer.predict import Answer
from trainer.protocols.pascal import head_boxes


def parts_of(record: ImageRecord) -> np.ndarray:
    return record.decode_mask()


@pytest.fixture(scope="module")
def records() -> list[ImageRecord]:
    return [make_record(index, people=2 + index % 2) for index in range(6)]


@pytest.fixture(scope="module")
def people(tmp_path_factory, records):
    return write_set(tmp_path_factory.mktemp("people"), records)


@pytest.mark.parametrize("protocol", ["lip", "atr", "cihp", "pascal", "coco"])
def test_the_truth_as_answer_scores_100(judge, people, records, protocol):
    judged = judge(people, protocol)
    scores = judged["scores"]
    assert all(scores[name] == 100 for name in ("pixel_accuracy", "mean_iou", "precision", "recall", "f1"))
    if protocol == "cihp":
        names = [f"{kind}_{at}" for kind in ("apr", "official_apr") for at in ("50", "60", "70", "mean")]
        assert [scores[name] for name in names] == [100] * 8
    if protocol == "pascal":
        assert scores["multi_person_pose_ap"] == 100 and set(judged["pose_ap"].values()) == {100}
    if protocol == "coco":
        assert scores["keypoint_ap"] == pytest.approx(100) and scores["keypoint_ap50"] == pytest.approx(100)
    whole = protocol in ("cihp", "pascal", "coco")
    assert judged["protocol"]["name"] == protocol
    assert judged["protocol"]["unit"] == ("images" if whole else "people")
    assert judged["protocol"]["images"] == (6 if whole else sum(len(record.people) for record in records))
    pixels = 6 * HW[0] * HW[1] if whole else sum(sample.width * sample.height for r in records for sample in cut(r))
    assert np.sum(judged["confusion"]) == pixels


def test_atr_agrees_with_scikit_learn(judge, people, records):
    found, true = [], []

    def answer(item):
        found.append(noisy(item).mask.ravel())
        true.append(item.mask.ravel())
        return noisy(item)

    judged = judge(people, "atr", answer)
    pred, target = np.concatenate(found), np.concatenate(true)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        target, pred, labels=range(7), average=None, zero_division=np.nan
    )
    scores = judged["scores"]
    assert scores["pixel_accuracy"] == pytest.approx(100 * reference.accuracy_score(target, pred))
    assert scores["foreground_accuracy"] == pytest.approx(
        100 * reference.accuracy_score(target[target > 0], pred[target > 0])
    )
    assert scores["precision"] == pytest.approx(100 * np.nanmean(precision))
    assert scores["recall"] == pytest.approx(100 * np.nanmean(recall))
    assert scores["f1"] == pytest.approx(100 * np.nanmean(f1))
    assert judged["pckh"] == {} and not [name for name in scores if "pckh" in name]


def pasted(records, answers) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Per image parts, people and confidence, pixel by pixel: crops of these people do not meet outside their figures."""
    images = []
    for record in records:
        parts, people, sure = np.zeros(HW, int), np.zeros(HW, int), np.zeros(HW)
        claims = np.full(HW, -1)
        for row, sample in enumerate(cut(record), start=1):
            answer, (x, y) = answers[sample.sample_id], sample.to_source[:, 2].astype(int)
            own = sample.decode_people() > 0
            for dy, dx in zip(*np.nonzero(answer.mask), strict=True):
                if own[dy, dx] > claims[y + dy, x + dx]:
                    claims[y + dy, x + dx] = own[dy, dx]
                    parts[y + dy, x + dx] = answer.mask[dy, dx]
                    people[y + dy, x + dx] = row
                    sure[y + dy, x + dx] = answer.confidence[dy, dx]
        images.append((parts, people, sure))
    return images


def instances(parts, people, sure) -> dict[str, np.ndarray]:
    masks, classes, scores = [np.zeros((0, *HW), bool)], [], []
    for person in range(1, people.max() + 1):
        for part in range(1, 7):
            mask = (people == person) & (parts == part)
            if mask.any():
                masks.append(mask[None])
                classes.append(part)
                scores.append(sure[mask].mean())
    return {"masks": np.concatenate(masks), "classes": np.array(classes, int), "scores": np.array(scores)}


def test_cihp_agrees_with_scikit_learn_and_with_slow_loops(judge, people, records):
    answers = {}

    def answer(item):
        answers[item.sample_id] = noisy(item)
        return answers[item.sample_id]

    judged = judge(people, "cihp", answer)
    images = pasted(records, answers)
    target = np.concatenate([parts_of(record).ravel() for record in records])
    pred = np.concatenate([parts.ravel() for parts, _, _ in images])
    assert judged["scores"]["mean_iou"] == pytest.approx(
        100 * reference.jaccard_score(target, pred, labels=range(7), average="macro")
    )
    assert judged["confusion"] == reference.confusion_matrix(target, pred, labels=range(7)).tolist()
    found = [instances(*image) for image in images]
    true = [instances(parts_of(r), r.decode_people(), np.ones(HW)) for r in records]
    for limit in (0.5, 0.6, 0.7):
        for name, official in (("apr", False), ("official_apr", True)):
            expected = slow_ap(found, true, limit, 7, official)
            assert judged["scores"][f"{name}_{limit * 100:.0f}"] == pytest.approx(expected, abs=1e-4), (name, limit)
    assert 0 < judged["scores"]["apr_70"] < judged["scores"]["apr_50"]


def test_a_missed_person_is_background(judge, tmp_path, records, people):
    samples = [sample for record in records for sample in cut(record)]
    missed = samples.pop(2)
    judged = judge(write_set(tmp_path / "missed", records, samples), "cihp")
    target = np.concatenate([parts_of(record).ravel() for record in records])
    pred = np.concatenate(
        [
            np.where(
                (record.sample_id == missed.source_id) & (record.decode_people() == missed.person), 0, parts_of(record)
            ).ravel()
            for record in records
        ]
    )
    assert judged["scores"]["mean_iou"] == pytest.approx(
        100 * reference.jaccard_score(target, pred, labels=range(7), average="macro")
    )
    # Of each part the others are found: precision 1 up to their recall.
    kinds = [(part, bool(miss)) for record in records for person in record.people.ids
             for miss in [(record.sample_id, person) == (missed.source_id, missed.person)]
             for part in np.unique(parts_of(record)[record.decode_people() == person])]  # fmt: skip
    shares = [
        1 - sum(miss for p, miss in kinds if p == part) / sum(1 for p, _ in kinds if p == part)
        for part in {part for part, _ in kinds}
    ]
    assert judged["scores"]["apr_50"] == pytest.approx(100 * np.mean(shares))
    whole = judge(people, "cihp")["protocol"]
    assert judged["protocol"]["truth_sha256"] == whole["truth_sha256"]
    assert judged["protocol"]["split_sha256"] != whole["split_sha256"]


def test_joints_are_judged_where_they_lie_in_the_image(judge, people, records):
    def moved(item) -> Answer:
        keypoints = truth(item).keypoints
        keypoints[3:8, 0] += 200
        return Answer(item.mask, keypoints, truth(item).confidence)

    judged = judge(people, "pascal", moved)
    names = list(judged["pose_ap"])
    assert [judged["pose_ap"][name] for name in names] == [100] * 3 + [0] * 5 + [100] * 6
    assert judged["scores"]["multi_person_pose_ap"] == pytest.approx(100 * 9 / 14)


def test_coco_agrees_with_pycocotools_on_the_images(judge, people, records):
    judged = judge(people, "coco", noisy)["scores"]
    truth_file, results = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}, []
    for image, record in enumerate(records):
        truth_file["images"].append({"id": image})
        ids = record.decode_people()
        for row, (sample, joints) in enumerate(zip(cut(record), record.people.keypoints, strict=True)):
            truth_file["annotations"].append(
                {
                    "id": len(truth_file["annotations"]) + 1, "image_id": image, "category_id": 1, "iscrowd": 0,
                    "area": float((ids == row + 1).sum()), "bbox": record.people.boxes[row].tolist(),
                    "keypoints": joints.ravel().tolist(), "num_keypoints": int((joints[:, 2] > 0).sum()),
                }
            )  # fmt: skip
            item = SimpleNamespace(
                sample_id=sample.sample_id, mask=sample.decode_mask(), keypoints=np.array(sample.keypoints)
            )
            found = noisy(item).keypoints
            shifted = np.column_stack([found[:, :2] + sample.to_source[:, 2], np.ones(len(found))])
            results.append(
                {
                    "image_id": image,
                    "category_id": 1,
                    "keypoints": shifted.ravel().tolist(),
                    "score": found[:, 2].mean(),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth_file
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = oks_sigmas(KEYPOINT_SETS["pascal14"])
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert judged["keypoint_ap"] == pytest.approx(100 * evaluation.stats[0])
    assert judged["keypoint_ap50"] == pytest.approx(100 * evaluation.stats[1])
    assert judged["keypoint_ap75"] == pytest.approx(100 * evaluation.stats[2])
    assert 5 < judged["keypoint_ap"] < 95


def test_the_box_of_a_head_is_that_of_the_region_under_the_forehead():
    heads = np.zeros((10, 12), bool)
    heads[1:4, 2:6] = heads[5:9, 8:10] = True
    foreheads = np.array([[3.2, 2.0], [9.0, 8.4], [7.0, 2.0], [np.nan, np.nan], [-3.0, 50.0]])
    assert head_boxes(heads, foreheads).tolist() == [[2, 1, 4, 3], [8, 5, 2, 4], [0] * 4, [0] * 4, [0] * 4]


def test_images_without_annotated_joints_count_neither_way_for_the_pose(judge, tmp_path, records):
    bare = [
        ImageRecord(**{**vars(record), "people": People.empty(14)}) if index == 0 else record
        for index, record in enumerate(records)
    ]
    root = write_set(tmp_path / "bare", bare, [sample for record in records for sample in cut(record)])
    assert judge(root, "pascal")["scores"]["multi_person_pose_ap"] == 100


def test_what_a_protocol_cannot_judge_by_is_named(judge, tmp_path, records):
    plain = [make_record(index, joints=None) for index in range(2)]
    no_ids = [ImageRecord(**{**vars(r), "people_map": None, "people": People.empty()}) for r in plain]
    samples = [sample for record in plain for sample in cut(record)]
    root = write_set(tmp_path / "no_ids", no_ids, samples, joints=None)
    with pytest.raises(DataError, match=r"people/val: image 0+ has no person ids to judge part instances by. Set eval"):
        judge(root, "cihp")
    with pytest.raises(DataError, match=r"has no annotated joints, by which evaluate.protocol coco judges"):
        judge(root, "coco")
    unlabelled = [ImageRecord(**{**vars(record), "mask": None}) for record in records]
    root = write_set(tmp_path / "no_masks", unlabelled, [sample for record in records for sample in cut(record)])
    with pytest.raises(DataError, match="has no part mask to judge by"):
        judge(root, "pascal")

    def poseless(item) -> Answer:
        return Answer(item.mask, np.zeros((0, 3)), truth(item).confidence)

    root = write_set(tmp_path / "whole", records)
    with pytest.raises(ParamsError, match=r"evaluate\.protocol: coco judges joints, and the model has no pose head"):
        judge(root, "coco", poseless)
    assert "multi_person_pose_ap" not in judge(root, "pascal", poseless)["scores"]


def test_crops_of_other_images_are_refused(judge, tmp_path, records):
    root = write_set(tmp_path / "other", records[1:], [sample for record in records for sample in cut(record)])
    with pytest.raises(
        DataError, match=r"its crops are not those of data/ingest in their order. Run `dvc repro` first"
    ):
        judge(root, "cihp")


def test_nobody_anywhere_is_undefined_not_an_error(judge, tmp_path):
    nobody = [make_record(index, people=0) for index in (3, 7)]
    one = [sample for sample in cut(make_record(0))][:1]
    empty = [ImageRecord(**{**vars(nobody[0]), "sample_id": one[0].source_id}), nobody[1]]
    scores = judge(write_set(tmp_path / "nobody", empty, one), "cihp")["scores"]
    assert scores["apr_50"] is None and scores["official_apr_50"] == 0 and not math.isnan(scores["mean_iou"])
