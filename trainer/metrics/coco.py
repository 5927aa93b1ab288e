"""COCO's average precision, computed by pycocotools' own COCOeval."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipeline.taxonomy import KeypointSet, keypoint_set
from pipeline.taxonomy.sides import mirrored_name

PERSON = 1
_SIGMAS: Mapping[str, float] = MappingProxyType(
    {
        "nose": 0.026,
        "eye": 0.025,
        "ear": 0.035,
        "shoulder": 0.079,
        "elbow": 0.072,
        "wrist": 0.062,
        "hip": 0.107,
        "knee": 0.087,
        "ankle": 0.089,
        "pelvis": 0.107,
    }
)
_OTHER_SIGMA = 0.079
"""Of joints that COCO lacks: what CrowdPose has for head and neck."""

_STATS = {
    "segm": ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    "bbox": ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"),
    "keypoints": ("ap", "ap50", "ap75", "ap_medium", "ap_large"),
}


def keypoint_ap(
    predictions: Sequence[Mapping[str, Any]], truths: Sequence[Mapping[str, Any]], keypoints: str = "coco17"
) -> dict[str, float]:
    """OKS AP of people's keypoints: COCO's rules, with COCO's constant for each joint that it has.

    A joint without one takes CrowdPose's for head and neck, the pelvis the hips'.

    Args:
        predictions: per image "keypoints" (N, K, 2 or more; x, y first, pixels) and "scores" (N,).
        truths: per image in the same order "keypoints" (M, K, 3; x, y, v), "areas" (M,) in pixels, and if there are
            such people "boxes" (M, 4; x, y, w, h; else those of the annotated joints) and "crowd" (M,) bool. People
            in crowds and people without an annotated joint count neither way.
        keypoints: name of the keypoint set.

    Returns:
        Percent, nan where there is nobody to judge: "ap" over OKS .50:.05:.95, "ap50", "ap75", and "ap_medium" and
        "ap_large", of people of 32² to 96² pixels and above.

    Raises:
        ValueError: the lists differ in length or a shape is wrong.
    """
    return keypoint_set_ap(predictions, truths, keypoint_set(keypoints))


def keypoint_set_ap(
    predictions: Sequence[Mapping[str, Any]], truths: Sequence[Mapping[str, Any]], joints: KeypointSet
) -> dict[str, float]:
    """As `keypoint_ap`, of a keypoint set that need not be known by its name."""
    if len(predictions) != len(truths):
        raise ValueError(f"predictions: {len(predictions)} images, expected the {len(truths)} of the truths")
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, (found, true) in enumerate(zip(predictions, truths, strict=True)):
        annotations += _annotations(image, true, len(joints), len(annotations) + 1)
        results += _results(image, found, len(joints))
    truth = coco_dataset([{"id": image} for image in range(len(truths))], annotations)
    return {name: 100 * value for name, value in coco_scores(truth, results, "keypoints", joints).items()}


def coco_dataset(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """A COCO dictionary whose only category is the person."""
    return {"images": images, "annotations": annotations, "categories": [{"id": PERSON, "name": "person"}]}


def coco_scores(
    truth: dict[str, Any],
    results: list[dict[str, Any]],
    kind: Literal["segm", "bbox", "keypoints"],
    joints: KeypointSet | None = None,
) -> dict[str, float]:
    """COCOeval's average precisions, in 0 ... 1.

    Args:
        truth: a COCO dictionary; annotation ids from 1, since 0 means unmatched to COCOeval. Both arguments are
            changed by COCOeval.
        results: in COCO's results form.
        joints: the keypoint set, for "keypoints".

    Returns:
        "ap", "ap50", "ap75", "ap_small" (not of keypoints), "ap_medium", "ap_large"; nan where nobody is to be found.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        found = COCO()
        found.dataset = {**truth, "annotations": []}
        if results:
            found = coco.loadRes(results)
        else:
            found.createIndex()
        evaluation = COCOeval(coco, found, kind)
        if joints is not None:
            evaluation.params.kpt_oks_sigmas = oks_sigmas(joints)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = evaluation.stats[: len(_STATS[kind])]
    return {
        name: float(value) if value > -1 else float("nan") for name, value in zip(_STATS[kind], values, strict=True)
    }


def oks_sigmas(joints: KeypointSet) -> np.ndarray:
    """(K,) float64: how far annotators disagree about a joint, as a share of the person's size."""
    sided = [name if mirrored_name(name) == name else name.split("-", 1)[1] for name in joints.keypoint_names]
    return np.array([_SIGMAS.get(name, _OTHER_SIGMA) for name in sided])


def _annotations(image: int, true: Mapping[str, Any], count: int, first_id: int) -> list[dict[str, Any]]:
    joints = _joints("truths", image, true["keypoints"], count, least=3)
    people = len(joints)
    areas = np.asarray(true["areas"], np.float64)
    crowd = np.asarray(true.get("crowd", np.zeros(people)), bool)
    boxes = np.asarray(true["boxes"] if "boxes" in true else _boxes(joints), np.float64)
    for name, values, shape in (
        ("areas", areas, (people,)),
        ("crowd", crowd, (people,)),
        ("boxes", boxes, (people, 4)),
    ):
        if values.shape != shape and values.size + people:
            raise ValueError(f"truths[{image}]: {name} of shape {values.shape}, expected {shape}")
    return [
        {
            "id": first_id + row,
            "image_id": image,
            "category_id": PERSON,
            "bbox": boxes[row].tolist(),
            "area": float(areas[row]),
            "iscrowd": int(crowd[row]),
            "keypoints": joints[row, :, :3].ravel().tolist(),
            "num_keypoints": int((joints[row, :, 2] > 0).sum()),
        }
        for row in range(people)
    ]


def _results(image: int, found: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    joints = _joints("predictions", image, found["keypoints"], count, least=2)
    scores = np.asarray(found["scores"], np.float64)
    if scores.shape != (len(joints),):
        raise ValueError(f"predictions[{image}]: scores of shape {scores.shape}, expected ({len(joints)},)")
    triples = np.concatenate([joints[..., :2], np.full((*joints.shape[:2], 1), 2.0)], axis=2)
    return [
        {"image_id": image, "category_id": PERSON, "keypoints": person.ravel().tolist(), "score": float(score)}
        for person, score in zip(triples, scores, strict=True)
    ]


def _joints(name: str, image: int, values: Any, count: int, least: int) -> np.ndarray:
    joints = np.asarray(values, np.float64)
    if not joints.size:
        return joints.reshape(0, count, least)
    if joints.ndim != 3 or joints.shape[1] != count or joints.shape[2] < least:
        raise ValueError(f"{name}[{image}]: keypoints of shape {joints.shape}, expected (N, {count}, {least})")
    return joints


def _boxes(joints: np.ndarray) -> np.ndarray:
    """(N, 4) x, y, w, h around the annotated joints of (N, K, 3); zeros for a person without any."""
    boxes = np.zeros((len(joints), 4))
    for row, person in enumerate(joints):
        known = person[person[:, 2] > 0, :2]
        if len(known):
            boxes[row] = *known.min(axis=0), *np.ptp(known, axis=0)
    return boxes
