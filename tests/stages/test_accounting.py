"""Every drawn set from `hpp sample` to shards: each image and each annotated person is a record, a reject or a counted outcome.

What a set holds is counted here from its files, by other means than the readers'.
"""

import copy
import io
import json
import shutil
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io
import yaml
from click.testing import CliRunner
from PIL import Image

from stages.cli import main

ROOT = Path(__file__).parents[2]
SPLITS = ("train", "val")
LAYOUTS = {
    "lip": {"people": "single", "label_set": "lip", "keypoint_set": "lip16"},
    "cihp": {"people": "many", "label_set": "cihp", "keypoint_set": None},
    "atr": {"people": "single", "label_set": "atr", "keypoint_set": None},
    "pascal": {"people": "many", "label_set": "pascal", "keypoint_set": "pascal14"},
    "coco": {"people": "many", "label_set": "person", "keypoint_set": "coco17"},
}


def hpp(*arguments):
    done = CliRunner().invoke(main, ["-q", *map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception


# What the files say


def contents(folder):
    """Path -> bytes of every file of all archives, and of the files beside them."""
    found = {}
    for file in sorted(folder.iterdir()):
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    data = archive.read(name)
                    if name.endswith(".zip"):
                        with zipfile.ZipFile(io.BytesIO(data)) as inner:
                            found |= {one: inner.read(one) for one in inner.namelist()}
                    else:
                        found[name] = data
        else:
            found[file.name] = file.read_bytes()
    return found


def file_of(files, tail):
    (found,) = [data for name, data in files.items() if name.endswith(tail)]
    return found


def listed_people(layout, files):
    """(split, image) -> how many people are annotated on it."""
    counts = {}
    for split in SPLITS:
        if layout == "coco":
            table = json.loads(file_of(files, f"person_keypoints_{split}2017.json"))
            people = Counter(one["image_id"] for one in table["annotations"] if not one["iscrowd"])
            counts |= {(split, Path(one["file_name"]).stem): people[one["id"]] for one in table["images"]}
            continue
        for image in file_of(files, f"{split}_id.txt").decode().split():
            if layout == "cihp":
                people = np.asarray(Image.open(io.BytesIO(file_of(files, f"/Human_ids/{image}.png"))))
                count = len(set(np.unique(people)) - {0})
            elif layout == "pascal":
                joints = [data for name, data in files.items() if name.endswith(f"PersonJoints/{image}.mat")]
                count = sum(scipy.io.loadmat(io.BytesIO(data))["boxes"].size for data in joints)
            else:
                count = 1
            counts[split, image] = count
    return counts


def damage(folder, layout, image):
    """Cut an image's JPEG short."""
    for file in folder.glob("*.zip"):
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            data = {name: archive.read(name) for name in names}
        hit = [name for name in names if name.endswith(f"/{image}.jpg")]
        if hit:
            data[hit[0]] = data[hit[0]][: len(data[hit[0]]) // 2]
            with zipfile.ZipFile(file, "w") as archive:
                for name in names:
                    archive.writestr(name, data[name])


# What became of it


@dataclass
class Outcome:
    """What the stages published of one split.

    Attributes:
        images, rejects: ids of ingest's records, and of its rejects.
        crops: (image, person) of each crop.
        outcomes: ids in crop's list of outcomes.
        figures: crop's metrics.
        told: ingest's metrics.
        later: stage -> ids of its records.
    """

    images: list
    rejects: list
    crops: list
    outcomes: list
    figures: dict
    told: dict
    later: dict


def rows(folder, columns):
    return [
        row for file in sorted(folder.glob("*.parquet")) for row in pq.read_table(file, columns=columns).to_pylist()
    ]


def ids_of(folder):
    if folder.parent.parent.name != "heatmaps":
        return [row["sample_id"] for row in rows(folder, ["sample_id"])]
    return [Path(name).stem for file in sorted(folder.glob("*.npz")) for name in zipfile.ZipFile(file).namelist()]


def listed(file):
    return [json.loads(line)["sample_id"] for line in file.read_text().splitlines()]


def outcome(name, split):
    crops = rows(Path("data/crops") / name / split, ["sample_id", "source_id", "person"])
    return Outcome(
        images=[row["sample_id"] for row in rows(Path("data/ingest") / name / split, ["sample_id"])],
        rejects=listed(Path("data/ingest") / name / split / "rejects.jsonl"),
        crops=[(row["source_id"], row["person"]) for row in crops],
        outcomes=listed(Path("data/crops") / name / split / "outcomes.jsonl"),
        figures=json.loads(Path(f"metrics/crop/{name}.json").read_text())[split],
        told=json.loads(Path(f"metrics/ingest/{name}.json").read_text())[split],
        later={stage: ids_of(Path("data") / stage / name / split) for stage in ("edges", "pose", "heatmaps", "shards")}
        | {"crops": [row["sample_id"] for row in crops]},
    )


def unaccounted(people, found, detected):
    """What does not add up, in words; nothing where all does.

    Args:
        people: image -> annotated people, of one split.
        found: what became of them.
        detected: whether a detector looked for people of whom only boxes are known.
    """
    troubles = []

    def same(what, one, other):
        if one != other:
            troubles.append(f"{what}: {one} and {other}")

    same("images", sorted(found.images + found.rejects), sorted(people))
    same("images in metrics", (found.told["images"], found.told["rejects"]), (len(found.images), len(found.rejects)))
    known = sum(people.get(image, 0) for image in found.images)
    same("people in metrics", found.told["people"], known)
    same("listed outcomes", found.figures["outcomes"], len(found.outcomes))
    same("crops in metrics", found.figures["people"], len(found.crops))
    if detected:
        figures = found.figures
        nobody_annotated = {image for image, count in people.items() if count == 0}
        small = [
            one.rpartition("_")[0] for one in found.outcomes if "#" not in one and "@" not in one and one not in people
        ]
        # Where nobody is annotated, everyone found is somebody.
        unknown = sum(image in nobody_annotated for image in [*small, *(source for source, _ in found.crops)])
        same("people", figures["matched"] + figures["missed"] + figures["box_only"], known)
        same("small", len(small), figures["small"])
        same("found people", len(found.crops) + figures["small"], figures["matched"] + unknown)
        same("detections", figures["detections"], figures["matched"] + figures["false"] + figures["ignored"] + unknown)
        same("missed", sum("#" in one for one in found.outcomes), figures["missed"] + figures["box_only"])
        same("false", sum("@" in one for one in found.outcomes), figures["false"] + figures["ignored"])
    else:
        for image in found.images:
            cut = sum(source == image for source, _ in found.crops)
            left_out = sum(one.rpartition("#")[0] == image or one.rpartition("_")[0] == image for one in found.outcomes)
            same(f"people of {image}", cut + left_out, people.get(image))
    same("people twice", len(set(found.crops)), len(found.crops))
    for stage, ids in found.later.items():
        same(f"people after {stage}", sorted(ids), sorted(found.later["crops"]))
    return troubles


@pytest.fixture(scope="module", params=LAYOUTS)
def accounted(request, tmp_path_factory):
    """Layout, (split, image) -> people, and what became of them; one image is damaged on purpose."""
    layout = request.param
    project = tmp_path_factory.mktemp(layout)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        hpp("sample", layout, "--out", "drawn", "--images", 6, "--val-share", 0.34, "--seed", 5)
        people = listed_people(layout, contents(Path("drawn")))
        broken = next(image for split, image in people if split == "train")
        damage(Path("drawn"), layout, broken)
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["datasets"] = {
            "mine": {
                "source": "drawn",
                "layout": layout,
                "splits": list(SPLITS),
                **LAYOUTS[layout],
                "limits": {"max_rejects": 1},
            }
        }
        params["detector"]["backend"] = "torchvision" if layout == "pascal" else "annotated"
        params["executor"]["workers"] = 1
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        Path("models").mkdir()
        for teacher in ("detector", "pose"):
            shutil.copy(
                next((ROOT / "presets/teachers").glob(f"{teacher}*.safetensors")), f"models/{teacher}.safetensors"
            )
        for stage in ("download", "ingest", "crop", "edges", "pose", "heatmaps", "shard"):
            hpp(stage, "mine")
        found = {split: outcome("mine", split) for split in SPLITS}
    return layout, people, found, broken


def of_split(people, split):
    return {image: count for (one, image), count in people.items() if one == split}


def test_everything_adds_up(accounted):
    layout, people, found, broken = accounted
    assert found["train"].rejects == [broken] and found["val"].rejects == []
    for split in SPLITS:
        assert unaccounted(of_split(people, split), found[split], layout == "pascal") == []
    assert sum(len(one.crops) for one in found.values()) > 0


@pytest.mark.parametrize("loss", ["an image", "a person", "an outcome or a crop twice", "a sample"])
def test_the_sum_can_fail(accounted, loss):
    layout, people, found, _ = accounted
    split = "train" if found["train"].crops else "val"
    changed = copy.deepcopy(found[split])
    if loss == "an image":
        changed.images.pop()
    elif loss == "a person":
        changed.crops.pop()
    elif loss == "a sample":
        changed.later["shards"].pop()
    else:
        changed.crops.append(changed.crops[0])
    assert unaccounted(of_split(people, split), changed, layout == "pascal")
