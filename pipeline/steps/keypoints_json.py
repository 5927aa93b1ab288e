"""The joints of a split as one COCO keypoints JSON, in pixels of the source images."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.geometry.affine import transform_points
from pipeline.shards.manifest import Manifest
from pipeline.shards.read import iter_rows
from pipeline.steps.inputs import joined_rows
from pipeline.steps.pose import ANNOTATED
from pipeline.taxonomy import KeypointSet

FILE_NAME = "keypoints.json"
PERSON = 1
_DIGITS = 3  # a thousandth of a pixel; of a confidence, too


def write_keypoints_json(
    file: Path, images: Path, crops: Path, poses: Path, joints: KeypointSet, info: Mapping[str, Any]
) -> None:
    """Write a split's joints as COCO has them; equal shards give equal bytes.

    Images are those of ingest, numbered from 1 in its order, also those without people. Annotations are the people of
    the crop stage in their order. Beside COCO's own fields a person has the crop's `sample_id`, the detector's `score`,
    and per joint `keypoint_origin` ("annotated", "pseudo", or "" where there is none) and `keypoint_confidence`; a
    pseudo joint has v = 2. `area` is that of the box. A row is written at a time.

    Args:
        file: the file to write.
        images, crops, poses: the split's folders of ingest, crop and pose.
        joints: the poses' keypoint set.
        info: what else the file says of itself.
    """
    numbers: dict[str, int] = {}
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f'{{"info": {_text(info)},\n"categories": [{_text(_category(joints))}],\n"images": [')
        _write_list(out.write, _images(images, numbers))
        out.write('],\n"annotations": [')
        _write_list(out.write, _annotations(crops, poses, numbers))
        out.write("]}\n")


def _write_list(write: Any, entries: Iterable[Mapping[str, Any]]) -> None:
    for number, entry in enumerate(entries):
        write(",\n" if number else "\n")
        write(_text(entry))


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _category(joints: KeypointSet) -> dict[str, Any]:
    """The person, joints and limbs named as COCO names its own."""
    return {
        "id": PERSON,
        "name": "person",
        "supercategory": "person",
        "keypoints": [name.replace("-", "_") for name in joints.keypoint_names],
        "skeleton": [[a + 1, b + 1] for a, b in joints.limb_indices],
    }


def _images(folder: Path, numbers: dict[str, int]) -> Iterator[dict[str, Any]]:
    for shard in Manifest.read(folder).shards:
        for row in iter_rows(folder / shard.name, ["sample_id", "image.path", "width", "height"]):
            numbers[row["sample_id"]] = len(numbers) + 1
            yield {
                "id": len(numbers),
                "file_name": row["image"]["path"],
                "width": row["width"],
                "height": row["height"],
                "sample_id": row["sample_id"],
            }


def _annotations(crops: Path, poses: Path, numbers: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    names = ["sample_id", "source_id", "box", "score", "to_source"]
    number = 0
    for crop_shard, pose_shard in zip(Manifest.read(crops).shards, Manifest.read(poses).shards, strict=True):
        paths = (crops / crop_shard.name, poses / pose_shard.name)
        for crop, pose in joined_rows(paths, (names, None)):
            number += 1
            yield _annotation(number, numbers[crop["source_id"]], crop, pose)


def _annotation(number: int, image: int, crop: Mapping[str, Any], pose: Mapping[str, Any]) -> dict[str, Any]:
    keypoints = np.array(pose["keypoints"], np.float64).reshape(-1, 3)
    known = keypoints[:, 2] > 0
    keypoints[known, :2] = transform_points(np.array(crop["to_source"]), keypoints[known, :2])
    box = [round(value, _DIGITS) for value in crop["box"]]
    return {
        "id": number,
        "image_id": image,
        "category_id": PERSON,
        "iscrowd": 0,
        "bbox": box,
        "area": round(box[2] * box[3], _DIGITS),
        "keypoints": _triples(keypoints),
        "num_keypoints": int(known.sum()),
        "keypoint_origin": [origin if origin in ("", ANNOTATED) else "pseudo" for origin in pose["keypoint_origin"]],
        "keypoint_confidence": [round(value, _DIGITS) for value in pose["keypoint_confidence"]],
        "score": round(crop["score"], _DIGITS),
        "sample_id": crop["sample_id"],
    }


def _triples(keypoints: np.ndarray) -> Sequence[float]:
    return [
        value
        for x, y, visibility in keypoints.tolist()
        for value in (round(x, _DIGITS), round(y, _DIGITS), int(visibility))
    ]
