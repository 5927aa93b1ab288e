"""The sample set in CIHP's layout: several people per image, part ids, person ids and part-instance ids."""

from __future__ import annotations

from typing import Iterable, Mapping

import numpy as np

from pipeline.datasets.sample.layout import Drawn, Layout, Member, jpeg, lines, png, running_number
from pipeline.datasets.sample.part_names import drawable_parts, parts_lut
from pipeline.datasets.sample.scene import draw_scene
from pipeline.taxonomy import label_set

SPLITS = ("train", "val", "test")
ARCHIVE, ROOT = "instance-level_human_parsing.zip", "instance-level_human_parsing"
FOLDERS = {"train": "Training", "val": "Validation", "test": "Testing"}
_CIHP = label_set("cihp")


def instance_ids(people: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """(H, W) uint8: (person id - 1) * 20 + class where there is a person, 0 elsewhere."""
    ids = (people.astype(np.int32) - 1) * 20 + parts
    return np.where(people > 0, ids, 0).astype(np.uint8)


def _draw(rng: np.random.Generator, split: str, index: int) -> Drawn:
    stem = f"{running_number(SPLITS, split, index):07d}"
    size_hw = int(rng.integers(192, 257)), int(rng.integers(256, 321))
    people = int(rng.choice([1, 2, 3, 4, 5], p=[0.12, 0.36, 0.24, 0.16, 0.12]))
    scene = draw_scene(rng, size_hw, people, allowed=drawable_parts(_CIHP), heights=(0.45, 1.3))
    folder = f"{ROOT}/{FOLDERS[split]}"
    members = [Member(ARCHIVE, f"{folder}/Images/{stem}.jpg", jpeg(rng, scene.image))]
    if split != "test":
        parts = parts_lut(_CIHP)[scene.parts]
        maps = {
            ("Category_ids", "Categories"): parts,
            ("Human_ids", "Human"): scene.people,
            ("Instance_ids", "Instances"): instance_ids(scene.people, parts),
        }
        for (ids_folder, colour_folder), ids in maps.items():
            members.append(Member(ARCHIVE, f"{folder}/{ids_folder}/{stem}.png", png(ids)))
            members.append(Member(ARCHIVE, f"{folder}/{colour_folder}/{stem}.png", png(_CIHP.palette[ids])))
    return Drawn(tuple(members), stem)


def _close(records: Mapping[str, list[str]]) -> Iterable[Member]:
    for split, stems in records.items():
        yield Member(ARCHIVE, f"{ROOT}/{FOLDERS[split]}/{split}_id.txt", lines(sorted(stems)))


CIHP = Layout(SPLITS, _draw, _close)
