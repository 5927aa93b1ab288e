"""Every data step on an input of two small images, for the goldens of test_golden.py.

The inputs are worked out from whole numbers and stored without compression, so that no library's random numbers or encoder
decides them.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from pipeline.datasets.layout import PLAIN
from pipeline.pose.base import PoseSettings
from pipeline.records import ImageRecord, People, Sample
from pipeline.rle import encode_rle
from pipeline.rows import IMAGE_SCHEMA, SAMPLE_SCHEMA, image_row, sample_row
from pipeline.shards.step import ShardInput, Step, content_hash
from pipeline.shards.write import parquet_bytes
from pipeline.sources.archives import Archives
from pipeline.steps import annotated_pose, crop, detecting, edges, estimating, heatmaps, ingest, samples
from pipeline.steps.cutting import CutRules
from pipeline.steps.pose import pseudo_pose_step
from pipeline.taxonomy import KEYPOINT_SETS
from tests import builders

HEIGHT, WIDTH = 32, 24
ROW_GROUP = 2
EDGES = {"width": 3, "between_people": True}
_ROWS, _COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


@dataclass(frozen=True)
class Golden:
    """What a step gave: under which version, the hash of the content, and the key that it is kept under."""

    version: int
    content: str
    key: str


@dataclass(frozen=True)
class Case:
    """A step and its input.

    Attributes:
        file: where its version stands.
        make: an empty folder -> what the step gives.
        constant: the version's name in the file.
        libraries: those whose encoders decide the content.
    """

    file: str
    make: Callable[[Path], Golden]
    constant: str = "VERSION"
    libraries: tuple[str, ...] = ()


def stored_png(array):
    """A PNG of (H, W) or (H, W, 3) uint8 that no compressor has a say in."""
    header = struct.pack(">IIBBBBB", array.shape[1], array.shape[0], 8, 0 if array.ndim == 2 else 2, 0, 0, 0)
    lines = b"".join(b"\0" + line.tobytes() for line in array)
    block = struct.pack("<BHH", 1, len(lines), len(lines) ^ 0xFFFF)
    packed = b"\x78\x01" + block + lines + struct.pack(">I", zlib.adler32(lines))
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def block(top, bottom, left, right, value=1):
    """(H, W) uint8, `value` in a rectangle."""
    inside = (top <= _ROWS) & (bottom > _ROWS) & (left <= _COLUMNS) & (right > _COLUMNS)
    return np.where(inside, value, 0).astype(np.uint8)


PIXELS = np.stack([(_ROWS * 37 + _COLUMNS * (101 + 8 * c) + _ROWS * _COLUMNS**2) % 251 for c in range(3)], 2)
PHOTO = stored_png(PIXELS.astype(np.uint8))
# Two people who touch and a small one apart; heads over shirts, and a corner that nobody labelled.
IDS = block(4, 28, 2, 10) + block(6, 30, 10, 18, 2) + block(2, 4, 20, 23, 3)
PARTS = np.where(IDS > 0, np.where(_ROWS < 12, 13, 5), 0).astype(np.uint8) + block(28, 32, 20, 24, 255)


def joints(count, shift=0):
    """(count, 3) float32: some hidden, every fourth one without."""
    number = np.arange(count)
    seen = np.array([2, 1, 2, 0])[number % 4]
    points = np.column_stack([3 + number * 0.375 + shift, 5 + number * 1.25, seen])
    return np.where(seen[:, None] > 0, points, 0).astype(np.float32)


def digest_of(data):
    """SHA-256 over all that a shard says: names, types, values; maps of ids as arrays, image files by their bytes."""
    digest = hashlib.sha256()
    if data[:2] == b"PK":
        maps = np.load(io.BytesIO(data))
        for name in maps.files:
            digest.update(f"{name} {maps[name].dtype.str} {maps[name].shape}".encode() + maps[name].tobytes())
        return digest.hexdigest()
    file = pq.ParquetFile(io.BytesIO(data))
    groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    digest.update(repr((groups, [(field.name, str(field.type)) for field in file.schema_arrow])).encode())
    for row in file.read(use_threads=False).to_pylist():
        for name, value in row.items():
            if name in ("mask", "people", "edge") and value is not None:
                ids = np.array(Image.open(io.BytesIO(value)))
                value = (ids.dtype.str, ids.shape, ids.tobytes())
            digest.update(f"{name} {value!r}".encode())
    return digest.hexdigest()


def of_step(step: Step, shard: ShardInput) -> Golden:
    data, report = step.work(shard.inputs)
    assert report.records and not report.rejects, report
    return Golden(step.version, digest_of(data), step.key(shard))


def shard_of(*paths):
    return ShardInput("train", "part-00000", paths, "0" * 64)


# The inputs.


def lip(folder):
    images = {name: PHOTO for name in ("a.b_1", "c_2")}
    rows = [builders.pose_row("a.b_1", {0: (3, 25, 1), 9: (5, 6, 0)})]
    return builders.write_lip(folder, images, {name: stored_png(PARTS) for name in images}, rows)


def cihp(folder):
    return builders.write_cihp(folder, {"1": (PHOTO, stored_png(PARTS), stored_png(IDS))})


def coco(folder):
    joint_list = joints(17).ravel().tolist()
    annotations = [
        {"image_id": 1, "segmentation": [[2, 4, 10.5, 4, 10, 28, 2.25, 27]], "bbox": [2, 4, 8, 24], "keypoints": joint_list},
        {"image_id": 1, "segmentation": encode_rle(IDS == 2), "bbox": [10, 6, 8, 24], "iscrowd": 1},
    ]  # fmt: skip
    content = builders.coco_content({"1.jpg": (HEIGHT, WIDTH)}, annotations)
    return builders.write_coco(folder, {"1.jpg": PHOTO}, content, "train")


def write_images(folder):
    """Records of a scene with everything that can be annotated, and of one with nothing."""
    tight = People.from_id_map(IDS)
    known = np.stack([joints(17), joints(17, 8), np.zeros((17, 3), np.float32)])
    people = People.build(tight.ids, tight.boxes, rles=tight.rles, keypoints=known)
    full = ImageRecord(
        "a.b_1", "toy", "train", PHOTO, "toy.zip!/a.png", WIDTH, HEIGHT, stored_png(PARTS), stored_png(IDS), people
    )
    bare = ImageRecord("c_2", "toy", "train", PHOTO, "toy.zip!/c.png", WIDTH, HEIGHT, None, None, People.empty())
    return save(folder / "images.parquet", parquet_bytes(map(image_row, [full, bare]), IMAGE_SCHEMA, ROW_GROUP))


def write_crops(folder):
    """A person with every label, another size without any but joints, and one without anything."""
    plain = Sample(
        sample_id="a.b_1_1", source_id="a.b_1", dataset="toy", split="train", image=PHOTO, path="toy.zip!/a.png", width=WIDTH,
        height=HEIGHT, mask=None, people_map=None, box=np.array([4.5, 6, 20, 28], np.float32), score=0.875,
        to_source=np.array([[1.0, 0, 3], [0, 1, 2]]), person=1, provenance={"people": "annotated", "crop": "1"},
    )  # fmt: skip
    labelled = {"mask": stored_png(PARTS), "people_map": stored_png(IDS), "keypoints": joints(16)}
    people = [
        Sample(**{**vars(plain), **labelled}),
        Sample(**{**vars(plain), "sample_id": "c_2_1", "width": 20, "height": 31, "keypoints": joints(16, 0.5)}),
        Sample(**{**vars(plain), "sample_id": "c_2_2"}),
    ]
    return save(folder / "crops.parquet", parquet_bytes(map(sample_row, people), SAMPLE_SCHEMA, ROW_GROUP))


def save(path, data):
    path.write_bytes(data)
    return path


class FixedDetector:
    """One person who is annotated, half of another, and something on the background."""

    teacher_id = "fixed-1"
    halvings = 0

    def detect_many(self, images):
        masks = [IDS == 2, block(4, 20, 2, 10) > 0, block(20, 30, 19, 24) > 0]
        people = People.build(
            [1, 2, 3], [[10, 6, 8, 24], [2.5, 4, 7.25, 16], [19, 20, 5, 10]], scores=[0.875, 0.75, 0.5], rles=[encode_rle(mask) for mask in masks],
        )  # fmt: skip
        return [people for _ in images]


class FixedEstimator:
    """Joints counted from the box's corner, ever less sure."""

    teacher_id = "fixed-2"
    keypoint_set = "coco17"
    settings = PoseSettings()
    halvings = 0

    def estimate_many(self, images, boxes):
        number = np.arange(17)[None, :, None]
        return [
            np.concatenate([box[:, None, :2] + number / 4, (1 - number / 20) + 0 * box[:, None, :1]], 2)
            for box in boxes
        ]


# The steps.


def ingested(write, layout, parts, keypoints=None):
    def make(folder):
        (shard,) = ingest.ingest_shards(Archives(write(folder)), layout, ["train"], 4, PLAIN)
        joints_of = None if keypoints is None else KEYPOINT_SETS[keypoints]
        return of_step(ingest.ingest_step(folder, "toy", parts, ROW_GROUP, layout, keypoints=joints_of), shard)

    return make


def findings(folder):
    """Of a picture that contradicts itself, which is left out, and of one with a mask too small, which is not."""
    rows = [
        builders.pose_row("a", {0: (40, 2, 0), 1: (23, 1, 0), 9: (5, 30, 0)}),
        builders.pose_row("b", {0: (3, 25, 1)}),
    ]
    masks = {"a": stored_png(PARTS), "b": stored_png(block(0, 2, 0, 3, 5))}
    builders.write_lip(folder, {"a": PHOTO, "b": PHOTO}, masks, rows)
    (shard,) = ingest.ingest_shards(Archives(folder), "lip", ["train"], 4)
    step = ingest.ingest_step(folder, "toy", "lip", ROW_GROUP, keypoints=KEYPOINT_SETS["lip16"])
    _, report = step.work(shard.inputs)
    told = [[one.content() for one in kind] for kind in (report.rejects, report.outcomes)]
    return Golden(ingest.CHECKS_VERSION, content_hash(told, report.marks), content_hash(step.checks))


def cut_single(folder):
    return of_step(crop.single_step(ROW_GROUP), shard_of(write_images(folder)))


def cut_annotated(folder):
    return of_step(crop.annotated_step(CutRules("keep", 255, 12, 0.25), ROW_GROUP), shard_of(write_images(folder)))


def cut_found(folder):
    found = detecting.RawPeople(FixedDetector(), folder / "scratch")
    step = crop.found_step(CutRules("black", 0, 12, 0.25), crop.Selection(0.3, 0.7), found, ROW_GROUP)
    return of_step(step, shard_of(write_images(folder)))


def kept_people(folder):
    cut_found(folder)
    return _kept(detecting.VERSION, folder)


def drawn_edges(folder):
    return of_step(edges.edges_step(**EDGES, row_group=ROW_GROUP), shard_of(write_crops(folder)))


def pose_annotated(folder):
    return of_step(annotated_pose.annotated_pose_step(16, ROW_GROUP), shard_of(write_crops(folder)))


def pose_pseudo(folder):
    raw = estimating.RawJoints(FixedEstimator(), folder / "scratch")
    return of_step(pseudo_pose_step(raw, 0.375, ROW_GROUP), shard_of(write_crops(folder)))


def kept_joints(folder):
    pose_pseudo(folder)
    return _kept(estimating.VERSION, folder)


def _kept(version, folder):
    """The answers that a network gave; they are found again by their folder's name."""
    (file,) = (folder / "scratch/raw").glob("*/*.parquet")
    return Golden(version, digest_of(file.read_bytes()), file.parent.name)


def heatmaps_shard(folder, convention, compress=True):
    crops = write_crops(folder)
    pose = save(folder / "pose.parquet", annotated_pose.annotated_pose_step(16, ROW_GROUP).work((crops,))[0])
    step = heatmaps.heatmaps_step((12, 8), 4, 5.0, "input", convention, compress)
    return step, shard_of(crops, pose)


def drawn_heatmaps(convention):
    return lambda folder: of_step(*heatmaps_shard(folder, convention))


def samples_shard(folder):
    crops = write_crops(folder)
    rows = [{"sample_id": name, "edge": edge} for name, edge in (("a.b_1_1", stored_png(IDS // 2)), ("c_2_1", None), ("c_2_2", None))]  # fmt: skip
    edge = save(folder / "edges.parquet", parquet_bytes(rows, edges.EDGE_SCHEMA, ROW_GROUP))
    pose = save(folder / "pose.parquet", annotated_pose.annotated_pose_step(16, ROW_GROUP).work((crops,))[0])
    return samples.samples_step((48, 32), ROW_GROUP, EDGES), shard_of(crops, edge, pose, folder / "heatmaps.npz")


def joined(folder):
    return of_step(*samples_shard(folder))


STEPS = "pipeline/steps"
CV = ("opencv-python-headless",)

CASES = {
    "ingest of LIP": Case(f"{STEPS}/ingest.py", ingested(lip, "lip", "lip", "lip16")),
    "ingest of CIHP": Case(f"{STEPS}/ingest.py", ingested(cihp, "cihp", "cihp")),
    "ingest of COCO": Case(f"{STEPS}/ingest.py", ingested(coco, "coco", "person", "coco17")),
    "findings": Case(f"{STEPS}/ingest.py", findings, "CHECKS_VERSION"),
    "crop of whole images": Case(f"{STEPS}/crop.py", cut_single),
    "crop of annotated people": Case(f"{STEPS}/crop.py", cut_annotated, libraries=CV),
    "crop of found people": Case(f"{STEPS}/crop.py", cut_found, libraries=CV),
    "a detector's people": Case(f"{STEPS}/detecting.py", kept_people),
    "edges": Case(f"{STEPS}/edges.py", drawn_edges),
    "annotated pose": Case(f"{STEPS}/annotated_pose.py", pose_annotated),
    "pseudo pose": Case(f"{STEPS}/annotated_pose.py", pose_pseudo),
    "a teacher's joints": Case(f"{STEPS}/estimating.py", kept_joints),
    **{
        f"heatmaps of {name}": Case(f"{STEPS}/heatmaps.py", drawn_heatmaps(name))
        for name in ("corrpm", "mula", "exact")
    },
    "shard": Case(f"{STEPS}/samples.py", joined),
}
