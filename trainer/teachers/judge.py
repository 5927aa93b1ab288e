"""Judging the teachers on held-out records: COCO's own average precision, and the counts that matter to the crops."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.detection import PeopleCount, PersonDetector, count_people, match_people, select_people
from pipeline.pose.base import PoseEstimator
from pipeline.records import ImageRecord, People
from pipeline.taxonomy import convert_keypoints, keypoint_set
from trainer.metrics.coco import PERSON, coco_dataset, coco_scores, keypoint_ap
from trainer.teachers.source import joints_of

_TOGETHER = 16
"""Images given to a teacher at once; it decides itself how many go through the network together."""


def judge_detector(
    records: Iterable[ImageRecord], detector: PersonDetector, score: float, mask_nms: float
) -> dict[str, float]:
    """Mask AP of the raw people, and recall and false share of those that the limits keep.

    Returns:
        As `judge_found`.
    """
    seen: list[ImageRecord] = []
    raw: list[People] = []
    for group in _groups(records):
        raw += detector.detect_many([record.decode_image() for record in group])
        seen += [dataclasses.replace(record, image=b"", mask=None, people_map=None) for record in group]
    return judge_found(seen, raw, score, mask_nms)


def judge_found(
    records: Sequence[ImageRecord], raw: Sequence[People], score: float, mask_nms: float
) -> dict[str, float]:
    """Judge people that a detector found in these records.

    Args:
        records: their images are not looked at.
        raw: per record the detector's people before any choice.
        score, mask_nms: the limits of `select_people`.

    Returns:
        COCOeval's figures of `raw` (see `people_ap`), "recall" of people over 2 % of the image and "false_share" of
        the kept people, "mask_iou" (mean over matched pairs), all in 0 ... 1, and "people", the number of annotated
        people over 2 % of their image.
    """
    count, ious = PeopleCount(), []
    for record, found in zip(records, raw, strict=True):
        kept = select_people(found, score, mask_nms)
        matching = match_people(kept, record.people)
        count = count + count_people(matching, record.people, record.height * record.width)
        ious += matching.ious.tolist()
    return {
        **people_ap(records, raw),
        "recall": count.recall,
        "false_share": count.false_share,
        "mask_iou": float(np.mean(ious)) if ious else float("nan"),
        "people": float(count.large),
    }


def people_ap(records: Sequence[ImageRecord], raw: Sequence[People]) -> dict[str, float]:
    """COCOeval of people's masks and of their boxes, in 0 ... 1, nan where there is nobody to find.

    Of the masks, people of whom only the box is known count as crowd: found or not, they are no mistake.

    Returns:
        "mask_ap" over IoU .50:.05:.95, "mask_ap50", "mask_ap75", "mask_ap_small", "mask_ap_medium" and
        "mask_ap_large" (below 32², up to 96² pixels, and above), and "box_ap" and so on.
    """
    rows = [(index, people, row) for index, people in enumerate(raw) for row in range(len(people))]
    masks = [_result(index, people, row, segmentation=people.rles[row]) for index, people, row in rows]
    boxes = [_result(index, people, row, bbox=people.boxes[row].tolist()) for index, people, row in rows]
    by_mask = coco_scores(_truth(records, masks=True), masks, "segm")
    by_box = coco_scores(_truth(records, masks=False), boxes, "bbox")
    return {f"mask_{key}": value for key, value in by_mask.items()} | {f"box_{k}": v for k, v in by_box.items()}


def judge_pose(records: Sequence[ImageRecord], estimator: PoseEstimator) -> dict[str, float]:
    """OKS AP on the annotated boxes; a person's score is the mean confidence of the joints.

    Joints of another set than the estimator's are converted to it, as far as both have them. The area of a person
    without a mask is that of the box.

    Returns:
        COCOeval's "oks_ap", "oks_ap50", "oks_ap75", "oks_ap_medium" and "oks_ap_large" of people with annotated joints,
        in 0 ... 1, and "people" with joints.
    """
    ours = keypoint_set(estimator.keypoint_set)
    theirs = joints_of(records, default=ours)
    predictions: list[dict[str, Any]] = []
    truths: list[dict[str, Any]] = []
    judged = 0
    for group in _groups(record for record in records if record.people.keypoints is not None):
        joints = [convert_keypoints(np.asarray(record.people.keypoints), theirs, ours) for record in group]
        rows = [
            np.flatnonzero((known[..., 2] > 0).any(axis=1) & ~record.people.crowd)
            for known, record in zip(joints, group, strict=True)
        ]
        boxes = [record.people.boxes[chosen] for record, chosen in zip(group, rows, strict=True)]
        found = estimator.estimate_many([record.decode_image() for record in group], boxes)
        for record, known, people, chosen in zip(group, joints, found, rows, strict=True):
            judged += len(chosen)
            predictions.append({"keypoints": people[..., :2], "scores": people[..., 2].mean(axis=1)})
            truths.append(
                {
                    "keypoints": known,
                    "areas": [_area(record.people, row) for row in range(len(known))],
                    "boxes": record.people.boxes,
                    "crowd": record.people.crowd,
                }
            )
    scores = keypoint_ap(predictions, truths, estimator.keypoint_set)
    return {**{f"oks_{key}": value / 100 for key, value in scores.items()}, "people": float(judged)}


def _groups(records: Iterable[ImageRecord]) -> Iterator[list[ImageRecord]]:
    source = iter(records)
    while group := list(islice(source, _TOGETHER)):
        yield group


def _result(index: int, people: People, row: int, **shape: Any) -> dict[str, Any]:
    """One person in COCO's results form."""
    return {"image_id": index, "category_id": PERSON, "score": float(people.scores[row]), **shape}


def _area(people: People, row: int) -> float:
    """Pixels of the mask, or of the box where no mask is known."""
    rle = people.rles[row]
    return float(people.boxes[row, 2] * people.boxes[row, 3]) if rle is None else float(coco_mask.area(rle))


def _truth(records: Sequence[ImageRecord], masks: bool) -> dict[str, Any]:
    """The records as a COCO dictionary; image ids are positions.

    Args:
        masks: for judging masks: people without one are marked as crowd, their box being their mask.
    """
    annotations: list[dict[str, Any]] = []
    for index, record in enumerate(records):
        people = record.people
        for row in range(len(people)):
            rle, box = people.rles[row], [float(value) for value in people.boxes[row]]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": index,
                    "category_id": PERSON,
                    "bbox": box,
                    "area": _area(people, row),
                    "iscrowd": int(people.crowd[row] or (masks and rle is None)),
                    "segmentation": (_box_rle(box, record) if rle is None else rle) if masks else [],
                }
            )
    images = [{"id": index, "height": record.height, "width": record.width} for index, record in enumerate(records)]
    return coco_dataset(images, annotations)


def _box_rle(box: list[float], record: ImageRecord) -> Any:
    return coco_mask.frPyObjects(np.array([box]), record.height, record.width)[0]
