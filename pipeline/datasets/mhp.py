"""LV-MHP-v2: several people in an image, 58 part classes, 16 joints; one mask per person.

Quirks that end here: a mask <id>_<people>_<person>.png has three channels, of which the red one holds the ids; the joints of
an image lie in <id>.mat as person_0, person_1 ... in the order of the masks, with v 0 visible, 1 occluded, 2 outside; rows
16 and 17 are the face's box, 18 and 19 the person's.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from pipeline.datasets.items import Annotation
from pipeline.datasets.labels import MOST_PEOPLE, Labels, check_mask
from pipeline.datasets.layout import PLAIN, Layout, ReaderOptions, SourceItem
from pipeline.datasets.lists import read_ids
from pipeline.datasets.mat_files import as_numbers, read_mat
from pipeline.errors import DataError
from pipeline.images import decode_red, encode_png
from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.sources.archives import Archives, Member
from pipeline.taxonomy import LabelSet

NUM_JOINTS, _ROWS = 16, 20
_LISTS = {"train": "train.txt", "val": "val.txt", "test": "test_all.txt"}
_VISIBILITY = {0: 2, 1: 1, 2: 0}
_HINT = "Place LV-MHP-v2.zip there"


def mhp_items(archives: Archives, split: str, _: ReaderOptions = PLAIN, /) -> list[SourceItem]:
    """The split's images in the order of its list; `label_files` holds the people's masks in order, then the joints.

    Raises:
        DataError: the list names an image that is missing, or one without masks (but for the test split).
    """
    list_file = archives.require(f"list/{_LISTS[split]}", _HINT)
    images = archives.folder_files(f"{split}/images")
    joints = archives.folder_files(f"{split}/pose_annos")
    masks = _masks_by_image(archives, split)
    items = []
    for sample_id in read_ids(archives, list_file):
        if sample_id not in images:
            raise DataError(f"{list_file.name}: names {sample_id!r}, but {split}/images lacks it. {_HINT}")
        if sample_id not in masks and split != "test":
            raise DataError(
                f"{list_file.name}: names {sample_id!r}, but {split}/parsing_annos has no mask of it. {_HINT}"
            )
        files = masks.get(sample_id, [])
        if sample_id in joints:
            files = [*files, joints[sample_id]]
        items.append(SourceItem(sample_id, images[sample_id], label_files=tuple(files)))
    return items


def _masks_by_image(archives: Archives, split: str) -> dict[str, list[Member]]:
    """Image -> its people's masks, person 1 first.

    Raises:
        DataError: a name is not of the form <id>_<people>_<person>, or a person's mask is missing.
    """
    found: dict[str, dict[int, Member]] = defaultdict(dict)
    counts: dict[str, int] = {}
    for stem, member in archives.folder_files(f"{split}/parsing_annos").items():
        sample_id, _, rest = stem.partition("_")
        count, _, person = rest.partition("_")
        if not count.isdecimal() or not person.isdecimal():
            raise DataError(f"{member.name}: not named <id>_<people>_<person>.png. Get the archive again")
        found[sample_id][int(person)] = member
        counts[sample_id] = int(count)
    for sample_id, people in found.items():
        if sorted(people) != list(range(1, counts[sample_id] + 1)):
            raise DataError(
                f"{split}/parsing_annos: {sample_id!r} has masks of the people {sorted(people)}, its files' names say "
                f"{counts[sample_id]} people. Get the archive again"
            )
    return {sample_id: [people[person] for person in sorted(people)] for sample_id, people in found.items()}


def mhp_labels(archives: Archives, item: SourceItem, image_hw: tuple[int, int], label_set: LabelSet) -> Labels:
    """One part mask and one person-id map from the people's masks (the smaller person on top), and their joints.

    Raises:
        DataError: a file cannot be read, or holds other ids or another number of people.
    """
    layers = []
    for file in item.label_files:
        if file.path.endswith(".png"):
            layer = decode_red(archives.read(file), file.name)
            check_mask(layer, image_hw, file.name, label_set)
            layers.append(layer)
    people = [one for file in item.label_files if file.path.endswith(".mat") for one in _people(archives, file)]
    if not layers:
        return Labels(None, None, People.empty())
    if len(layers) > MOST_PEOPLE or (people and len(people) != len(layers)):
        raise DataError(
            f"{item.image.name}: {len(layers)} people's masks, joints of {len(people)}. Get the archive again"
        )
    mask, ids = np.zeros(image_hw, np.uint8), np.zeros(image_hw, np.uint8)
    bodies = [layer != 0 for layer in layers]
    for place in sorted(range(len(layers)), key=lambda one: -int(bodies[one].sum())):
        mask[bodies[place]], ids[bodies[place]] = layers[place][bodies[place]], place + 1
    joints = [one.keypoints for one in people] or [(0.0,) * (3 * NUM_JOINTS)] * len(layers)
    return Labels(
        encode_png(mask),
        encode_png(ids),
        People.build(
            range(1, len(layers) + 1),
            [_box(body) for body in bodies],
            rles=[encode_rle(body) for body in bodies],
            keypoints=np.asarray(joints, np.float32).reshape(-1, NUM_JOINTS, 3),
        ),
    )


def _box(body: np.ndarray) -> tuple[int, int, int, int]:
    """x, y, w, h around the pixels of a body; zeros where it has none."""
    rows, columns = np.flatnonzero(body.any(axis=1)), np.flatnonzero(body.any(axis=0))
    if not len(rows):
        return (0, 0, 0, 0)
    return (int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1))


def _people(archives: Archives, file: Member) -> list[Annotation]:
    content = read_mat(archives.read(file), file.name)
    names = [f"person_{number}" for number in range(sum(key.startswith("person_") for key in content))]
    people = []
    for name in names:
        if name not in content:
            raise DataError(f"{file.name}: has no {name}, expected {names[0]} to {names[-1]}. Get the archive again")
        rows = as_numbers(content[name], (_ROWS, 3), file.name, name)[:NUM_JOINTS]
        flat: list[float] = []
        for x, y, state in rows:
            if int(state) not in _VISIBILITY:
                raise DataError(f"{file.name}: a joint of {name} has visibility {state:g}, expected 0, 1 or 2")
            seen = _VISIBILITY[int(state)]
            flat += (float(x), float(y), float(seen)) if seen else (0.0, 0.0, 0.0)
        people.append(Annotation(keypoints=tuple(flat)))
    return people


MHP = Layout(
    "mhp",
    ("train", "val", "test"),
    mhp_items,
    {"train": 15403, "val": 5000, "test": 5000},
    ("lip16",),
    mhp_labels,
)
