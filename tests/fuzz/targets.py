"""Every parser of outside data as a function of bytes; a target may raise the user's errors and nothing else."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.io
import torch
import yaml
from safetensors.numpy import save

from pipeline.datasets.coco import COCO
from pipeline.datasets.coco_json import COCO_JSON
from pipeline.datasets.infer import infer_dataset
from pipeline.datasets.labelme import LABELME
from pipeline.datasets.labels import whole_rle
from pipeline.datasets.layout import Layout, ReaderOptions, read_item
from pipeline.datasets.lip import parse_pose_csv
from pipeline.datasets.lip_json import parse_pose_json
from pipeline.datasets.lists import read_ids, read_names
from pipeline.datasets.pascal import parse_joints
from pipeline.errors import DataError, ParamsError
from pipeline.images import decode_colours, decode_image, decode_map, decode_red, exif_orientation
from pipeline.params import load_params
from pipeline.rows import SAMPLE_SCHEMA, sample_from_row, sample_row
from pipeline.shards.manifest import Manifest, sha256_of
from pipeline.shards.read import open_shards, read_rows
from pipeline.shards.write import npz_bytes, parquet_bytes
from pipeline.sources.archives import Archives
from pipeline.sources.lock import SourceLock
from pipeline.sources.pages import confirmed, is_page, reason
from pipeline.sources.registry import load_registry
from pipeline.taxonomy import LabelSet, read_keypoint_set, read_label_map, read_label_set
from pipeline.teacher_file import read_teacher
from stages.compare import compare
from tests import builders
from tests.trainer.builders import make_sample
from trainer.checkpoints import read_model

USERS_ERRORS = (DataError, ParamsError)
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Target:
    """One parser.

    Attributes:
        run: reads the bytes.
        seeds: well-formed inputs, from which damaged ones are made.
        errors: what it may raise.
    """

    run: Callable[[bytes], Any]
    seeds: tuple[bytes, ...]
    errors: tuple[type[Exception], ...] = USERS_ERRORS


class MemoryArchives(Archives):
    """Files that are not on any disk, as one archive."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__(Path("."))
        self._files = dict(files)

    def _names(self) -> list[str]:
        return ["memory.zip"]

    def _opened(self, name: str, scratch: Any) -> Any:
        return self

    def _guard(self, name: str) -> None:
        return None

    def _beside(self, name: str) -> None:
        return None

    def files(self) -> Iterator[tuple[str, int, int]]:
        return ((path, len(data), 0) for path, data in self._files.items())

    def read(self, member: Any) -> bytes:
        return self._files[member if isinstance(member, str) else member.path]

    def inner(self, path: str, scratch: Any) -> IO[bytes]:
        return io.BytesIO(self._files[path])


PHOTO = builders.jpeg()


def layout(reader: Layout, place: str, label_set: LabelSet, **photos: bytes) -> Callable[[bytes], Any]:
    """A layout's items and labels, with the bytes as the file at `place`."""
    options = ReaderOptions(
        splits=("train",), annotations={"train": place}, label_set=label_set, num_keypoints=17, people="many"
    )

    def run(data: bytes) -> Any:
        archives = MemoryArchives({place: data, **photos})
        for item in reader.items(archives, "train", options):
            read_item(archives, item, "fuzz", "train", label_set, reader.labels)
        if reader.account is not None:
            reader.account(archives, options)

    return run


def of_file(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], Any]:
    """A reader of paths."""

    def run(data: bytes) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            return read(path)

    return run


def read_archive(path: Path) -> None:
    """As the process that lists them does, and as one that reads single files does."""
    listing = Archives(path.parent, path.parent / "scratch")
    for archives in (listing, Archives(path.parent, path.parent / "scratch", limits=None), Archives(path.parent)):
        for member in listing.members:
            archives.read(member)


def compared(path: Path) -> None:
    """`hpp compare` of an evaluation with itself; what it tells is thrown away."""
    with redirect_stdout(io.StringIO()):
        compare.callback.__wrapped__(None, path, path)


def read_heatmaps(data: bytes) -> Any:
    """The npz that a shard of samples points at."""
    sample = make_sample(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        heatmaps = builders.write_split(root / "heatmaps", [data], [1], kind="heatmaps")
        link = {"path": "../heatmaps", "sha256": sha256_of(heatmaps / "manifest.json")}
        shard = parquet_bytes([sample_row(sample)], SAMPLE_SCHEMA, 1)
        builders.write_split(root / "shards", [shard], [1], kind="samples", links={"heatmaps": link})
        return open_shards(root / "shards").heatmaps(0)


def read_segmentation(data: bytes) -> Any:
    """What stands as a segmentation in a JSON."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return whole_rle(content, (12, 8), "a")


def infer(data: bytes) -> Any:
    """A folder with the bytes as its only JSON."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "images").mkdir()
        (root / "images/1.jpg").write_bytes(PHOTO)
        (root / "labels.json").write_bytes(data)
        return infer_dataset(root, "fuzz", 1)


def _coco() -> bytes:
    person = {
        "id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "bbox": [1, 1, 5, 8], "area": 20.0, "num_keypoints": 2,
        "segmentation": [[1, 1, 6, 1, 6, 9]], "keypoints": [2, 2, 2, 3, 3, 1] + [0] * 45,
    }  # fmt: skip
    crowd = person | {"id": 2, "iscrowd": 1, "segmentation": {"size": [12, 8], "counts": [10, 6, 80]}}
    packed = person | {"id": 3, "segmentation": {"size": [12, 8], "counts": "o0Q2"}}
    image = {"id": 7, "file_name": "1.jpg", "height": 12, "width": 8}
    categories = [{"id": 1, "name": "person"}]
    return json.dumps({"images": [image], "annotations": [person, crowd, packed], "categories": categories}).encode()


def _labelme() -> bytes:
    shape = {"label": "Face", "points": [[1, 1], [6, 1], [6, 9]], "group_id": 1, "shape_type": "polygon", "flags": {}}
    circle = shape | {"points": [[3, 3], [4, 4]], "shape_type": "circle", "label": "Hair"}
    content = {"version": "5.0", "imagePath": "1.jpg", "imageHeight": 12, "imageWidth": 8, "imageData": None}
    return json.dumps(content | {"shapes": [shape, circle]}).encode()


def _mat() -> bytes:
    cells = np.empty((1, 1), object)
    cells[0, 0] = np.array([[1, 1, 5, 9]])
    joints = np.empty((1, 1), object)
    joints[0, 0] = np.ones((14, 3))
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"boxes": cells, "joints": joints})
    return buffer.getvalue()


def _manifest() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        builders.write_split(Path(folder), [b"x"], [1])
        return (Path(folder) / "manifest.json").read_bytes()


def _checkpoint() -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": 1, "card": "{}", "weights": {"a": torch.zeros(3)}}, buffer)
    return buffer.getvalue()


def _teacher() -> bytes:
    content = {
        "architecture": "toy",
        "options": {},
        "input": {"size": [8, 8], "order": "rgb", "mean": [0.5], "std": [1]},
    }
    return save({"weight": np.zeros((2, 2), np.float32)}, metadata={"teacher": json.dumps(content)})


_PERSON = LabelSet("person", ("background", "person"))
_LIP = LabelSet("lip", ("background", "hat", "hair", "face"))
_LIP_JSON = json.dumps({"root": [{"im_name": "1.jpg", "joints": [[1, 2]] * 16}]}).encode()
_ROWS = parquet_bytes([sample_row(make_sample(number)) for number in range(3)], SAMPLE_SCHEMA, 2)
_CSV = builders.csv_bytes([builders.pose_row("1_2", {0: (1, 2, 0)}), builders.pose_row("3_4", {})])
_MASK = builders.png(np.arange(96).reshape(12, 8) % 20)

TARGETS: dict[str, Target] = {
    "lip-csv": Target(lambda data: parse_pose_csv(data.decode("utf-8", "replace"), "a.csv"), (_CSV,)),
    "lip-json": Target(lambda data: parse_pose_json(data.decode("utf-8", "replace"), "a.json"), (_LIP_JSON,)),
    "coco": Target(
        layout(COCO, "annotations/person_keypoints_train2017.json", _PERSON, **{"train2017/1.jpg": PHOTO}), (_coco(),)
    ),
    "coco-json": Target(layout(COCO_JSON, "all.json", _PERSON, **{"1.jpg": PHOTO}), (_coco(),)),
    "labelme": Target(layout(LABELME, "1.json", _LIP, **{"1.jpg": PHOTO}), (_labelme(),)),
    "infer-json": Target(infer, (_coco(), _labelme())),
    "pascal-mat": Target(lambda data: parse_joints(data, "a.mat"), (_mat(),)),
    "list": Target(
        lambda data: [read(archives := MemoryArchives({"a.txt": data}), archives.find("a.txt")) for read in (read_ids, read_names)],
        (b"1_2\n3_4\n", "é.jpg\n".encode()),
    ),
    "photo": Target(lambda data: (exif_orientation(data), decode_image(data, "a")), (PHOTO, _MASK, builders.exif_rotated(PHOTO))),
    "mask": Target(lambda data: decode_map(data, "a"), (_MASK,)),
    "red-mask": Target(lambda data: decode_red(data, "a"), (_MASK, builders.png(builders.image_pixels()))),
    "colour-mask": Target(lambda data: decode_colours(data, "a"), (builders.png(builders.image_pixels()),)),
    "segmentation": Target(
        read_segmentation,
        (b"[[1, 1, 6, 1, 6, 9]]", b'{"size": [12, 8], "counts": [10, 6, 80]}', b'{"size": [12, 8], "counts": "o0Q2"}'),
    ),
    "params": Target(of_file("params.yaml", load_params), ((ROOT / "params.yaml").read_bytes(),)),
    "label-set": Target(
        of_file("mine.yaml", read_label_set), (b'names: [background, top]\npalette: [[0, 0, 0], "#ff0000"]\n',), (ValueError,)
    ),
    "keypoint-set": Target(of_file("mine.yaml", read_keypoint_set), (b"names: [a, b]\nlimbs: [[a, b]]\n",), (ValueError,)),
    "label-map": Target(of_file("mine.yaml", read_label_map), (b"torso: ignore\nface: face\n",), (ValueError,)),
    "registry": Target(of_file("sources.yaml", load_registry), ((ROOT / "data/sources.yaml").read_bytes(),)),
    "lock": Target(
        of_file("lock.yaml", lambda path: SourceLock(path, path.with_suffix(".guard")).get("lip", "a.zip")),
        (yaml.safe_dump({"lip": {"a.zip": {"bytes": 3, "sha256": "0" * 64}}}).encode(),),
    ),
    "web-page": Target(
        lambda data: (is_page(data, "a.zip"), reason(text := data.decode("utf-8", "replace")), confirmed(text, "https://x.org/a")),
        (b"<html><title>Quota</title><form action='/d' method='get'><input name='id' value='1'></form></html>",),
    ),
    "manifest": Target(of_file("manifest.json", lambda path: Manifest.read(path.parent)), (_manifest(),)),
    "evaluation": Target(of_file("evaluate.json", compared), ((ROOT / "metrics/evaluate.json").read_bytes(),)),
    "shard": Target(of_file("a.parquet", lambda path: [sample_from_row(row) for row in read_rows(path)]), (_ROWS,)),
    "heatmaps": Target(
        read_heatmaps, tuple(npz_bytes([("s0", np.ones((2, 3, 4), np.float16))], packed) for packed in (True, False))
    ),
    "zip": Target(of_file("a.zip", read_archive), (builders.zip_bytes([("a/b.txt", b"x" * 50)], zipfile.ZIP_DEFLATED),)),
    "tar": Target(of_file("a.tar", read_archive), (builders.tar_bytes([("a/b.txt", b"x" * 50)]),)),
    "tar-gz": Target(of_file("a.tar.gz", read_archive), (builders.tar_bytes([("a/b.txt", b"x" * 50)], "gz"),)),
    "checkpoint": Target(of_file("a.pt", read_model), (_checkpoint(),)),
    "teacher": Target(of_file("a.safetensors", lambda path: read_teacher(path, "toy")), (_teacher(),)),
}  # fmt: skip
