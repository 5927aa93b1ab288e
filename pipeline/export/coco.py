"""COCO JSON: <split>/ with images, annotations/<split>.json with people (RLE, joints) and parts (RLE).

Category 1 is the person; class c of the label set is category 100 + c. What is ignored (255) is one crowd region, so that
nothing is judged there. File names are relative to <split>/.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.errors import ParamsError
from pipeline.export.files import WEB, image_file
from pipeline.export.target import NamedSamples, Target
from pipeline.records import Sample
from pipeline.rle import encode_rle
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet, class_key

PERSON = 1
FIRST_PART = 100
_PERSON_NAME = "person"


class Coco:
    """One JSON per split; ids count from 1 in each."""

    version = 1
    escaped = ""

    def __init__(self, target: Target) -> None:
        parts = target.parts
        named = next((name for name in parts.part_names if class_key(name) == _PERSON_NAME), None)
        if named is not None and not _is_person(parts):
            raise ParamsError(
                f"--format coco: class {named!r} of label set {parts.name!r} would be taken for whole people. Rename it"
            )
        self._target = target
        (target.folder / "annotations").mkdir()

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Images and the JSON of a split; annotations wait in a file of their own, not in memory."""
        folder = self._target.folder
        (folder / split).mkdir()
        path, aside = folder / "annotations" / f"{split}.json", folder / "annotations" / f".{split}.part"
        with (
            path.open("w", encoding="utf-8", newline="\n") as images,
            aside.open("w+", encoding="utf-8") as annotations,
        ):
            images.write('{"images": [')
            next_id = 1
            for number, (stem, sample) in enumerate(samples, start=1):
                ending, data = image_file(sample, WEB, self._target.tally)
                (folder / split / f"{stem}{ending}").write_bytes(data)
                _write_item(images, number == 1, _image(number, f"{stem}{ending}", sample))
                for one in annotations_of(sample, self._target.parts, self._target.keypoints):
                    whole = {"id": next_id, "image_id": number, **one}
                    _write_item(annotations, next_id == 1, whole)
                    next_id += 1
            images.write('\n], "annotations": [')
            annotations.seek(0)
            shutil.copyfileobj(annotations, images)
            rest = {
                "categories": categories(self._target.parts, self._target.keypoints),
                "licenses": [],
                "info": {"description": f"{self._target.dataset} {split}"},
            }
            images.write(f"\n], {json.dumps(rest, ensure_ascii=False)[1:]}\n")
        Path(aside).unlink()
        self._target.tally["annotations"] += next_id - 1

    def finish(self) -> dict[str, Any]:
        """Nothing belongs to the whole."""
        return {"person_category": PERSON, "part_categories_from": FIRST_PART + 1}


def _is_person(parts: LabelSet) -> bool:
    """Whether the only class is the person, so that there are no parts."""
    return [class_key(name) for name in parts.part_names[1:]] == [_PERSON_NAME]


def _write_item(file: IO[str], first: bool, item: dict[str, Any]) -> None:
    file.write(("\n" if first else ",\n") + json.dumps(item, ensure_ascii=False))


def _image(number: int, name: str, sample: Sample) -> dict[str, Any]:
    about = {"sample_id": sample.sample_id, "source_id": sample.source_id}
    return {"id": number, "file_name": name, "width": sample.width, "height": sample.height, **about}


def categories(parts: LabelSet, keypoints: KeypointSet | None) -> list[dict[str, Any]]:
    """The person, with joints where there are any (skeleton from 1, as COCO counts), and the parts."""
    person: dict[str, Any] = {"id": PERSON, "name": _PERSON_NAME, "supercategory": _PERSON_NAME}
    if keypoints is not None:
        person["keypoints"] = list(keypoints.keypoint_names)
        person["skeleton"] = [[one + 1, other + 1] for one, other in keypoints.limb_indices]
    named = [] if _is_person(parts) else list(enumerate(parts.part_names))[1:]
    return [person, *({"id": FIRST_PART + part, "name": name, "supercategory": "part"} for part, name in named)]


def annotations_of(sample: Sample, parts: LabelSet, keypoints: KeypointSet | None) -> Iterator[dict[str, Any]]:
    """A sample's annotations, without their ids: people in the order of their ids, the ignored region, parts by person."""
    mask, people = sample.decode_mask(), sample.decode_people()
    bodies = _bodies(mask, people)
    main = _main_person(sample, mask, people, bodies)
    for person, body in bodies.items():
        yield {**_region(PERSON, body), **_joints(sample if person == main else None, keypoints)}
    if main is None and sample.keypoints is not None and (sample.keypoints[:, 2] > 0).any():
        yield {**_box_alone(sample), **_joints(sample, keypoints)}
    if mask is None:
        return
    if (mask == IGNORE).any():
        yield {**_region(PERSON, mask == IGNORE), "iscrowd": 1, **_joints(None, keypoints)}
    if _is_person(parts):
        return
    whose = np.zeros_like(mask) if people is None else people
    for person in np.unique(whose):
        for part in np.unique(mask[whose == person]):
            if part not in (0, IGNORE):
                yield _region(FIRST_PART + int(part), (mask == part) & (whose == person))


def _bodies(mask: np.ndarray | None, people: np.ndarray | None) -> dict[int, np.ndarray]:
    """Person id -> (H, W) bool; without ids one person who is all of the parts."""
    if people is not None:
        return {int(person): people == person for person in np.unique(people) if person != 0}
    if mask is None or not (body := (mask != 0) & (mask != IGNORE)).any():
        return {}
    return {1: body}


def _main_person(
    sample: Sample, mask: np.ndarray | None, people: np.ndarray | None, bodies: dict[int, np.ndarray]
) -> int | None:
    """Whose crop and joints these are: the sample's person, among those whose labels are not ignored."""
    known = [person for person, body in bodies.items() if mask is None or (body & (mask != IGNORE)).any()]
    # A detector numbers people otherwise than the annotated ids; in its crops the others are painted over or ignored.
    candidates = known or list(bodies)
    if sample.person in candidates or not candidates:
        return sample.person if candidates else None
    return max(candidates, key=lambda person: int(bodies[person].sum()))


def _region(category: int, region: np.ndarray) -> dict[str, Any]:
    rle = encode_rle(region)
    box = [float(value) for value in coco_mask.toBbox(rle)]
    return {"category_id": category, "segmentation": rle, "bbox": box, "area": int(region.sum()), "iscrowd": 0}


def _box_alone(sample: Sample) -> dict[str, Any]:
    """A person of whom no pixel is known: the box, in the crop's pixels."""
    x, y = (sample.box[:2] - sample.to_source[:, 2]).tolist()
    box = [x, y, float(sample.box[2]), float(sample.box[3])]
    return {"category_id": PERSON, "segmentation": [], "bbox": box, "area": box[2] * box[3], "iscrowd": 0}


def _joints(sample: Sample | None, keypoints: KeypointSet | None) -> dict[str, Any]:
    """`keypoints` and `num_keypoints`; COCO's scorer asks every person for them."""
    if keypoints is None:
        return {}
    joints = np.zeros((len(keypoints), 3), np.float32)
    if sample is not None and sample.keypoints is not None:
        joints = np.where(sample.keypoints[:, 2:] > 0, sample.keypoints, 0).astype(np.float32)
    # The shortest decimal that is the same float32 again.
    flat = [float(str(value)) for value in joints.ravel()]
    return {"keypoints": flat, "num_keypoints": int((joints[:, 2] > 0).sum())}
