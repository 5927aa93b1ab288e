"""Judging the teachers on held-out records: COCO's own average precision, and the counts that matter to the crops."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.detection import PeopleCount, PersonDetector, count_people, match_people, select_people
from pipeline.pose.base import PoseEstimator
from pipeline.records import ImageRecord, People

_PERSON = 1


def judge_detector(
    records: Sequence[ImageRecord], detector: PersonDetector, score: float, mask_nms: float
) -> dict[str, float]:
    """Mask AP of the raw people, and recall and false share of those that the limits keep.

    Returns:
        As `judge_found`.
    """
    raw = [detector.detect(record.decode_image()) for record in records]
    return judge_found(records, raw, score, mask_nms)


def judge_found(
    records: Sequence[ImageRecord], raw: Sequence[People], score: float, mask_nms: float
) -> dict[str, float]:
    """Judge people that a detector found in these records.

    Args:
        raw: per record the detector's people before any choice.
        score, mask_nms: the limits of `select_people`.

    Returns:
        "mask_ap" and "mask_ap50" of `raw` (COCOeval, person), "recall" of people over 2 % of the image and
        "false_share" of the kept people, "mask_iou" (mean over matched pairs), all in 0 ... 1, and "people", the
        number of annotated people over 2 % of their image.
    """
    count, ious = PeopleCount(), []
    for record, found in zip(records, raw, strict=True):
        kept = select_people(found, score, mask_nms)
        matching = match_people(kept, record.people)
        count = count + count_people(matching, record.people, record.height * record.width)
        ious += matching.ious.tolist()
    ap, ap50 = mask_ap(records, raw)
    return {
        "mask_ap": ap,
        "mask_ap50": ap50,
        "recall": count.recall,
        "false_share": count.false_share,
        "mask_iou": float(np.mean(ious)) if ious else float("nan"),
        "people": float(count.large),
    }


def mask_ap(records: Sequence[ImageRecord], raw: Sequence[People]) -> tuple[float, float]:
    """AP over IoU .50:.05:.95 and AP at .50 of people's masks; people of whom only the box is known count as crowd."""
    results = [
        {
            "image_id": index,
            "category_id": _PERSON,
            "segmentation": people.rles[row],
            "score": float(people.scores[row]),
        }
        for index, people in enumerate(raw)
        for row in range(len(people))
    ]
    return _average_precision(_truth(records), results, "segm")


def judge_pose(records: Sequence[ImageRecord], estimator: PoseEstimator) -> dict[str, float]:
    """OKS AP on the annotated boxes; a person's score is the mean confidence of the joints.

    Returns:
        "oks_ap" and "oks_ap50" in 0 ... 1 (COCOeval, people with annotated joints) and "people" with joints.
    """
    results, judged = [], 0
    for index, record in enumerate(records):
        people = record.people
        if people.keypoints is None:
            continue
        rows = np.flatnonzero((people.keypoints[..., 2] > 0).any(axis=1) & ~people.crowd)
        judged += len(rows)
        if not len(rows):
            continue
        for joints in estimator.estimate(record.decode_image(), people.boxes[rows]):
            triples = np.concatenate([joints[:, :2], np.full((len(joints), 1), 2)], axis=1)
            results.append(
                {
                    "image_id": index,
                    "category_id": _PERSON,
                    "keypoints": triples.ravel().tolist(),
                    "score": float(joints[:, 2].mean()),
                }
            )
    ap, ap50 = _average_precision(_truth(records), results, "keypoints")
    return {"oks_ap": ap, "oks_ap50": ap50, "people": float(judged)}


def _truth(records: Sequence[ImageRecord]) -> dict[str, Any]:
    """The records as a COCO dictionary; image ids are positions."""
    annotations: list[dict[str, Any]] = []
    for index, record in enumerate(records):
        people = record.people
        for row in range(len(people)):
            rle, box = people.rles[row], [float(value) for value in people.boxes[row]]
            joints = np.zeros((0, 3)) if people.keypoints is None else people.keypoints[row]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": _PERSON,
                    "bbox": box,
                    "area": box[2] * box[3] if rle is None else float(coco_mask.area(rle)),
                    "iscrowd": int(people.crowd[row] or rle is None),
                    "segmentation": _box_rle(box, record) if rle is None else rle,
                    "keypoints": joints.ravel().tolist(),
                    "num_keypoints": int((joints[:, 2] > 0).sum()),
                }
            )
    images = [{"id": index, "height": record.height, "width": record.width} for index, record in enumerate(records)]
    return {"images": images, "annotations": annotations, "categories": [{"id": _PERSON, "name": "person"}]}


def _box_rle(box: list[float], record: ImageRecord) -> Any:
    return coco_mask.frPyObjects([box], record.height, record.width)[0]


def _average_precision(truth: dict[str, Any], results: list[dict[str, Any]], kind: str) -> tuple[float, float]:
    """COCOeval's first two numbers; 0 where nothing was found, nan where there is nobody to find."""
    if not truth["annotations"]:
        return float("nan"), float("nan")
    if not results:
        return 0.0, 0.0
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])
