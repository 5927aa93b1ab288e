"""Tiny archives, records and shards; every call makes its own."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from pipeline.images import encode_jpeg, encode_png
from pipeline.records import ImageRecord, People
from pipeline.rows import IMAGE_SCHEMA, image_row
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.write import parquet_bytes

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"
"""Real samples beside the project, where a checkout has them."""

NAN = float("nan")


def image_pixels(height: int = 12, width: int = 8, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8 noise."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def jpeg(height: int = 12, width: int = 8, seed: int = 0) -> bytes:
    return encode_jpeg(image_pixels(height, width, seed))


def png(array: Any) -> bytes:
    return encode_png(np.asarray(array, np.uint8))


def exif_rotated(data: bytes, orientation: int = 6) -> bytes:
    """The JPEG with an EXIF orientation put behind its start marker."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"
    payload = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2, "big") + payload + data[2:]


def zip_bytes(members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name, (1990, 1, 1, 0, 0, 0)), data, method)
    return buffer.getvalue()


def tar_bytes(members: Iterable[tuple[str, bytes]], compression: str = "") -> bytes:
    """A tar, plain or compressed (gz, bz2, xz)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def write_zip(path: Path, members: Iterable[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zip_bytes(members))
    return path


def pose_row(name: str, joints: Mapping[int, tuple[float, float, float]]) -> list[str]:
    """A row of LIP's csv: file name and 16 x (x, y, v), nan where there is no joint."""
    triples = [joints.get(joint, (NAN, NAN, NAN)) for joint in range(16)]
    return [f"{name}.jpg", *(f"{value:g}" for triple in triples for value in triple)]


def csv_bytes(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def write_lip(
    folder: Path,
    images: Mapping[str, bytes],
    masks: Mapping[str, bytes],
    rows: Iterable[Sequence[str]] | None = None,
    ids: Sequence[str] | None = None,
    split: str = "train",
) -> Path:
    """LIP's archives with one split: doubled folder names, the masks' zip inside a zip, the csv."""
    top = "TrainVal_images/TrainVal_images"
    listed = "".join(f"{name}\n" for name in (images if ids is None else ids))
    write_zip(
        folder / "TrainVal_images.zip",
        [(f"{top}/{split}_images/{name}.jpg", data) for name, data in images.items()]
        + [(f"{top}/{split}_id.txt", listed.encode())],
    )
    inner = zip_bytes(
        (f"TrainVal_parsing_annotations/{split}_segmentations/{name}.png", data) for name, data in masks.items()
    )
    write_zip(
        folder / "TrainVal_parsing_annotations.zip",
        [("TrainVal_parsing_annotations/TrainVal_parsing_annotations.zip", inner)],
    )
    if rows is not None:
        name = f"TrainVal_pose_annotations/lip_{split}_set.csv"
        write_zip(folder / "TrainVal_pose_annotations.zip", [(name, csv_bytes(rows))])
    return folder


def write_cihp(folder: Path, items: Mapping[str, tuple[bytes | None, ...]]) -> Path:
    """CIHP's archive with a training split: name -> image, Category_ids, Human_ids and, if given, Instance_ids."""
    top, members = "instance-level_human_parsing/Training", []
    for name, (image, *maps) in items.items():
        members += [(f"{top}/Images/{name}.jpg", image)]
        kinds = zip(("Category_ids", "Human_ids", "Instance_ids"), maps, strict=False)
        members += [(f"{top}/{kind}/{name}.png", data) for kind, data in kinds if data is not None]
    members.append((f"{top}/train_id.txt", "".join(f"{name}\n" for name in items).encode()))
    write_zip(folder / "instance-level_human_parsing.zip", members)
    return folder


def write_coco(folder: Path, images: Mapping[str, bytes], content: Any, split: str = "val") -> Path:
    """COCO's archives with one split: file name -> image, and the person_keypoints JSON."""
    write_zip(folder / f"{split}2017.zip", [(f"{split}2017/{name}", data) for name, data in images.items()])
    table = content if isinstance(content, bytes) else json.dumps(content).encode()
    write_zip(folder / "annotations_trainval2017.zip", [(f"annotations/person_keypoints_{split}2017.json", table)])
    return folder


def coco_content(sizes: Mapping[str, tuple[int, int]], annotations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """COCO's JSON: file name -> (height, width), numbered from 1."""
    return {
        "images": [
            {"id": number, "file_name": name, "height": hw[0], "width": hw[1]}
            for number, (name, hw) in enumerate(sizes.items(), start=1)
        ],
        "annotations": [
            {"id": number, "category_id": 1, "iscrowd": 0, "bbox": [0, 0, 2, 2], **annotation}
            for number, annotation in enumerate(annotations, start=1)
        ],
        "categories": [{"id": 1, "name": "person"}],
    }


def write_params(folder: Path, datasets: Mapping[str, Mapping[str, Any]], **sections: Any) -> Path:
    """params.yaml of a small project that trains on the first data set; `sections` stand in place of what is written here."""
    first = next(iter(datasets))
    fit = {"dataset": first, "steps": 1, "batch_size": 1, "lr": 0.1, "warmup_steps": 0, "weight_decay": 0.0}
    params = {
        "seed": 1,
        "datasets": {name: dict(dataset) for name, dataset in datasets.items()},
        "teacher_datasets": {},
        "executor": {"workers": 1},
        "detector": {"backend": "annotated", "fit": fit},
        "pose": {"fit": dict(fit)},
        "heatmaps": {"size": [12, 8], "sigma": 1.5},
        "shards": {"records_per_shard": 2, "row_group": 2},
        "train": {
            "datasets": [first], "label_set": "lip", "keypoint_set": "lip16", "backbone": "resnet18_slim",
            "input_size": [48, 32], "epochs": 1, "batch_size": 2, "lr": 0.1,
        },
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump({**params, **sections}), encoding="utf-8")
    return path


def record(
    name: str = "a.b_1",
    image: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    people_map: np.ndarray | None = None,
    people: People | None = None,
) -> ImageRecord:
    """An image record; its people are those of the map unless they are given."""
    image = image_pixels() if image is None else image
    if people is None:
        people = People.empty() if people_map is None else People.from_id_map(people_map)
    return ImageRecord(
        sample_id=name,
        dataset="toy",
        split="train",
        image=encode_png(image),
        path=f"toy.zip!/{name}.png",
        width=image.shape[1],
        height=image.shape[0],
        mask=None if mask is None else encode_png(mask),
        people_map=None if people_map is None else encode_png(people_map),
        people=people,
    )


def write_records(path: Path, records: Sequence[ImageRecord]) -> Path:
    """A shard of image records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(parquet_bytes([image_row(one) for one in records], IMAGE_SCHEMA, row_group=2))
    return path


def manifest(entries: Sequence[ShardEntry] = (), **fields: Any) -> Manifest:
    """A manifest of images, `fields` set otherwise."""
    plain: dict[str, Any] = {
        "kind": "images", "dataset": "toy", "split": "train", "label_set": "lip", "keypoint_set": None,
        "parameters": {"row_group": 2}, "steps": {"ingest": 1}, "shards": tuple(entries), "links": {},
    }  # fmt: skip
    return Manifest(**{**plain, **fields})


def write_split(folder: Path, shards: Sequence[bytes], counts: Sequence[int], **fields: Any) -> Path:
    """A split's folder: shards and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "npz" if fields.get("kind") == "heatmaps" else "parquet"
    entries = []
    for number, (data, count) in enumerate(zip(shards, counts, strict=True)):
        name = f"part-{number:05d}.{suffix}"
        (folder / name).write_bytes(data)
        entries.append(ShardEntry(name, count, len(data), hashlib.sha256(data).hexdigest()))
    manifest(entries, **fields).write(folder)
    return folder


def decode_jpeg(data: bytes) -> np.ndarray:
    """OpenCV's own decoding, to compare with."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
