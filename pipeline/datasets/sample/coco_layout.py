"""The sample set in COCO 2017's layout: images, instances and person keypoints as JSON."""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping

import numpy as np

from pipeline.datasets.sample.coco_masks import mask_counts, mask_polygons
from pipeline.datasets.sample.layout import Drawn, Layout, Member, jpeg, mask_box, running_number
from pipeline.datasets.sample.part_names import PART_NAMES
from pipeline.datasets.sample.scene import Joints, SampleScene, draw_scene
from pipeline.taxonomy import keypoint_set

SPLITS = ("train", "val")
ANNOTATIONS = "annotations_trainval2017.zip"
PERSON, BENCH = 1, 15
_COCO = keypoint_set("coco17")
_SMALL_AREA = 32 * 32
_PARTS = frozenset(PART_NAMES) - {"bag"}

Annotation = dict[str, Any]


def _keypoints(joints: Joints) -> list[int]:
    """51 numbers x, y, v; 0, 0, 0 where a joint is not labelled."""
    values: list[int] = []
    for name in _COCO.keypoint_names:
        x, y, v = joints[name]
        values += [round(x), round(y), v] if v else [0, 0, 0]
    return values


def _annotation(mask: np.ndarray, category: int, crowd: bool = False) -> Annotation:
    """Outline, area and box of a mask; crowds as run lengths."""
    counts = {"counts": mask_counts(mask), "size": list(mask.shape)}
    return {
        "segmentation": counts if crowd else mask_polygons(mask),
        "area": float(mask.sum()),
        "iscrowd": int(crowd),
        "bbox": [float(value) for value in mask_box(mask)],
        "category_id": category,
    }


def _annotations(rng: np.random.Generator, scene: SampleScene) -> list[Annotation]:
    """Of all people, of the crowd, and of the bench."""
    annotations = []
    for index, joints in enumerate(scene.joints):
        annotation = _annotation(scene.people == index + 1, PERSON)
        small = annotation["area"] < _SMALL_AREA
        unlabelled = rng.random() < (0.8 if annotation["area"] < _SMALL_AREA / 2 else 0.4)
        annotation["keypoints"] = [0] * 51 if small and unlabelled else _keypoints(joints)
        annotations.append(annotation)
    if scene.crowd.any():
        annotations.append(_annotation(scene.crowd, PERSON, crowd=True) | {"keypoints": [0] * 51})
    if scene.things.any():
        annotations.append(_annotation(scene.things > 0, BENCH))
    for annotation in annotations:
        if "keypoints" in annotation:
            annotation["num_keypoints"] = int(np.count_nonzero(annotation["keypoints"][2::3]))
    return annotations


def _draw(rng: np.random.Generator, split: str, index: int) -> Drawn:
    number = running_number(SPLITS, split, index)
    size_hw = (192, 256) if rng.random() < 0.7 else (256, 192)
    people = int(rng.choice([0, 1, 2, 3, 4, 5], p=[0.06, 0.34, 0.24, 0.16, 0.12, 0.08]))
    crowd = int(rng.integers(5, 9)) if rng.random() < 0.12 else 0
    low = float(rng.choice([0.22, 0.6], p=[0.5, 0.5]))
    scene = draw_scene(rng, size_hw, people, allowed=_PARTS, heights=(low, 1.3), crowd=crowd if people else 0)
    file_name = f"{number:012d}.jpg"
    image = {"license": 1, "file_name": file_name, "height": size_hw[0], "width": size_hw[1], "id": number}
    annotations = [{**annotation, "image_id": number} for annotation in _annotations(rng, scene)]
    member = Member(f"{split}2017.zip", f"{split}2017/{file_name}", jpeg(rng, scene.image))
    return Drawn((member,), (image, annotations))


def _person_category(with_keypoints: bool) -> dict[str, Any]:
    category: dict[str, Any] = {"supercategory": "person", "id": PERSON, "name": "person"}
    if with_keypoints:
        category["keypoints"] = [name.replace("-", "_") for name in _COCO.keypoint_names]
        category["skeleton"] = [[a + 1, b + 1] for a, b in _COCO.limb_indices]
    return category


def _document(records: list[tuple[dict[str, Any], list[Annotation]]], split: str, keypoints: bool) -> bytes:
    """The JSON file of a split: of people with keypoints, or of all instances without."""
    annotations = []
    next_id = 0
    for _, of_image in records:
        for annotation in of_image:
            next_id += 1
            if keypoints and annotation["category_id"] != PERSON:
                continue
            hidden = () if keypoints else ("keypoints", "num_keypoints")
            kept = {key: value for key, value in annotation.items() if key not in hidden}
            annotations.append(kept | {"id": next_id})
    bench = {"supercategory": "outdoor", "id": BENCH, "name": "bench"}
    document = {
        "info": {"description": f"Drawn sample people, {split}", "version": "1.0", "year": 2017},
        "licenses": [{"id": 1, "name": "Public domain", "url": ""}],
        "images": [image for image, _ in records],
        "annotations": annotations,
        "categories": [_person_category(keypoints)] + ([] if keypoints else [bench]),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _close(records: Mapping[str, list[tuple[dict[str, Any], list[Annotation]]]]) -> Iterable[Member]:
    for split, drawn in records.items():
        yield Member(ANNOTATIONS, f"annotations/instances_{split}2017.json", _document(drawn, split, False))
        yield Member(ANNOTATIONS, f"annotations/person_keypoints_{split}2017.json", _document(drawn, split, True))


COCO = Layout(SPLITS, _draw, _close)
