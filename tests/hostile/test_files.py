"""Photos, labels, shards, checkpoints and parameters that mean harm: one line, exit 2, nothing written outside, little memory."""

import io
import json
import pickle
import struct
import zlib

import numpy as np
import pytest
import torch

from pipeline.errors import DataError
from pipeline.shards import open_shards
from tests import builders
from tests.hostile.project import GIGABYTE, Project, memory_below
from tests.pipeline.shards.test_read import write_samples

PHOTO, MASK = builders.jpeg(), builders.png([[0, 1] * 4] * 12)


def chunk(kind, data, length=None):
    return (
        struct.pack(">I", len(data) if length is None else length)
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def png_of(width, height, data=b"", colour=2, length=None):
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        builders.png([[0]])[:8]
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data), length)
        + chunk(b"IEND", b"")
    )


def jpeg_of(width, height):
    place = PHOTO.find(b"\xff\xc0")
    return PHOTO[: place + 5] + struct.pack(">HH", height, width) + PHOTO[place + 9 :]


def bmp_of(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


IMAGES = {
    "PNG of 3.6 billion pixels": (png_of(60000, 60000), MASK, "declares 60000 x 60000 pixels"),
    "PNG of a line of 2 billion": (png_of(2**31 - 1, 1), MASK, "declares 2147483647 x 1 pixels"),
    "JPEG of 4 billion pixels": (jpeg_of(65500, 65500), MASK, "declares 65500 x 65500 pixels"),
    "BMP of a billion pixels": (bmp_of(40000, 40000), MASK, "Image size (1600000000 pixels) exceeds limit"),
    "PNG chunk longer than the file": (png_of(8, 12, length=2**31 - 1), MASK, "not a readable JPEG or PNG"),
    "PNG without pixels": (png_of(8, 12), MASK, "not a readable JPEG or PNG"),
    "a program": (b"\x7fELF" + bytes(200), MASK, "not a readable JPEG or PNG"),
    "SVG with an address": (b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>', MASK, "not a readable"),
    "mask of 3.6 billion ids": (PHOTO, png_of(60000, 60000, colour=0), "declares 60000 x 60000 pixels"),
    "mask with a long chunk": (PHOTO, png_of(8, 12, colour=0, length=2**31 - 1), "not a readable PNG"),
    "mask that is a JPEG": (PHOTO, PHOTO, "not a readable PNG"),
}  # fmt: skip


@pytest.mark.parametrize("kind", IMAGES)
def test_images_that_mean_harm(tmp_path, kind):
    image, mask, reason = IMAGES[kind]
    project = Project(tmp_path)
    builders.write_zip(project.source / "a.zip", [("images/a.jpg", image), ("masks/a.png", mask)])
    assert project.refused("download", "shop") is None
    line = project.refused("ingest", "shop")
    assert line is not None and "a.zip" in line and reason in line, line


def coco(**changes):
    person = {
        "id": 1,
        "image_id": 7,
        "category_id": 1,
        "bbox": [1, 1, 5, 8],
        "segmentation": [[1, 1, 6, 1, 6, 9]],
        **changes,
    }
    image = {"id": 7, "file_name": "1.jpg", "height": 12, "width": 8}
    return json.dumps(
        {"images": [image], "annotations": [person], "categories": [{"id": 1, "name": "person"}]}
    ).encode()


JSONS = {
    "brackets in brackets": (b"[" * 200_000, "no readable JSON"),
    "objects in objects": (b'{"a":' * 200_000, "no readable JSON"),
    "a number of a million digits": (b'{"images": ' + b"9" * 1_000_000 + b"}", "no readable JSON"),
    "a list": (b"[]", "holds list"),
    "an outline of a billion pixels": (coco(segmentation=[[0, 0, 1e9, 0, 1e9, 1e9]]), "a coordinate of 1e+09"),
    "an outline without end": (coco(segmentation=[[0, 0, float("inf"), 0, 1, 1]]), "a coordinate of inf"),
    "a box beyond numbers": (coco(bbox=[1, 1, 10**400, 8]), "expected a bbox of 4 numbers"),
    "runs of another size": (coco(segmentation={"size": [10**6, 10**6], "counts": [10**12]}), "segmentation"),
    "runs below zero": (coco(segmentation={"size": [12, 8], "counts": [-5, 101]}), "segmentation"),
    "runs that are an object": (coco(segmentation={"size": [12, 8], "counts": {}}), "counts"),
    "packed runs that overflow": (coco(segmentation={"size": [12, 8], "counts": "o" * 5000}), "counts"),
    "an image with a list for an id": (coco(image_id=[7]), "not COCO's form"),
    "a name that leads away": (coco().replace(b"1.jpg", b"../../etc/passwd"), "lacks it"),
}  # fmt: skip


@pytest.mark.parametrize("kind", JSONS)
def test_json_that_means_harm(tmp_path, kind):
    data, reason = JSONS[kind]
    project = Project(tmp_path, layout="coco", label_set="person", people="many", keypoint_set=None)
    members = [("train2017/1.jpg", PHOTO), ("annotations/instances_train2017.json", data)]
    builders.write_zip(project.source / "a.zip", members)
    assert project.refused("download", "shop") is None
    line = project.refused("ingest", "shop")
    assert line is not None and reason in line and ("a.zip" in line or "instances_train2017.json" in line), line


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
YAMLS = {
    "an object that runs a command": "seed: !!python/object/apply:os.system ['touch harm']\n",
    "a thousand million laughs": LAUGHS,
    "brackets in brackets": "seed: " + "[" * 100_000,
    "a set whose name leads away": "datasets: {../../etc: {source: sample, layout: lip, label_set: lip}}\n",
    "bytes that are no text": b"seed: \xff\xfe\n",
    "no sections": "- 1\n- 2\n",
}


@pytest.mark.parametrize("kind", YAMLS)
def test_parameters_that_mean_harm(tmp_path, kind):
    project, content = Project(tmp_path), YAMLS[kind]
    file = project.root / "params.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    line = project.refused("ingest", "shop")
    assert line is not None and "params.yaml" in line and len(line) < 1500, line


class Command:
    """Runs when it is unpickled."""

    def __reduce__(self):
        return (exec, ("open('harm', 'w')",))


def saved(content):
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


CHECKPOINTS = {
    "a pickle that runs a command": ("a.pt", pickle.dumps(Command())),
    "a model that runs a command": ("a.pt", saved({"format": 1, "card": "{}", "weights": Command()})),
    "noise": ("a.pt", b"PK\x03\x04" + bytes(range(256))),
    "another model": ("a.pt", saved({"format": 1, "card": "{}", "weights": {}})),
    "nothing": ("a.pt", b""),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_checkpoints_that_mean_harm(tmp_path, kind, monkeypatch):
    name, data = CHECKPOINTS[kind]
    project = Project(tmp_path)
    monkeypatch.chdir(project.root)
    (project.root / name).write_bytes(data)
    builders.write_zip(project.source / "a.zip", [("images/a.jpg", PHOTO)])
    line = project.refused("export-model", "--weights", name, "--format", "onnx", "--out", "a.onnx")
    assert line is not None and name in line
    assert not (project.root / "harm").exists() and not (project.root / "a.onnx").exists()


def safetensors(header, size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text


TEACHERS = {
    "a header of exabytes": safetensors(b"{}", 2**62),
    "a tensor beyond the file": safetensors({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}),
    "a tensor that overflows": safetensors({"a": {"dtype": "F32", "shape": [2**63, 4], "data_offsets": [0, 0]}}),
    "brackets in brackets": safetensors(b'{"__metadata__":' + b"[" * 50_000),
    "a pickle": pickle.dumps(Command()),
}


@pytest.mark.parametrize("kind", TEACHERS)
def test_teachers_that_mean_harm(tmp_path, kind):
    project = Project(tmp_path, splits=["train", "val"])
    file = project.root / "mine.safetensors"
    file.write_bytes(TEACHERS[kind])
    line = project.refused("--set", f"pose.weights={file}", "fit-pose")
    assert line is not None and "mine.safetensors" in line
    assert not (project.root / "models").exists() or not list((project.root / "models").iterdir())


def _npz_of(shape, kind="<f2"):
    """An npz whose member says that it has that shape."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return builders.zip_bytes([("s0.npy", stream.getvalue() + bytes(64))])


def _changed(**changes):
    def change(folder):
        file = folder / "manifest.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def _elsewhere(name):
    return _changed(shards=[{"name": name, "records": 3, "bytes": 1, "sha256": "0"}])


SHARDS = {
    "a shard elsewhere": (_elsewhere("../../../../../etc/passwd"), "expected a file name without folders"),
    "a shard of an absolute path": (_elsewhere("/etc/passwd"), "expected a file name without folders"),
    "records of another type": (_changed(shards="all"), "fields are missing or unknown"),
    "another schema": (_changed(schema_version=99), "schema version is not"),
    "a footer that lies": (
        lambda folder: (folder / "part-00000.parquet").write_bytes(b"PAR1" + bytes(50) + struct.pack("<I", 2**31 - 1) + b"PAR1"),
        "not a whole parquet shard",
    ),
    "no parquet": (lambda folder: (folder / "part-00000.parquet").write_bytes(pickle.dumps(Command())), "not a whole parquet shard"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SHARDS)
def test_shards_that_mean_harm(tmp_path, kind):
    change, reason = SHARDS[kind]
    project = Project(tmp_path)
    folder, _ = write_samples(project.root / "data", (3,))
    crops = project.root / "data/crops/shop/train"
    crops.parent.mkdir(parents=True)
    folder.rename(crops)
    change(crops)
    line = project.refused("edges", "shop")
    assert line is not None and "data/crops/shop/train" in line and reason in line, line
    assert not (project.root / "data/edges").exists()


HEATMAPS = {
    "a terabyte": _npz_of((10**4, 10**4, 10**4)),
    "more than there are": _npz_of((2**62,)),
    "objects": _npz_of((1,), "|O"),
    "a negative side": _npz_of((-1, 3)),
}


@pytest.mark.parametrize("kind", HEATMAPS)
def test_heatmaps_that_mean_harm(tmp_path, kind):
    folder, heatmaps = write_samples(tmp_path, (1,))
    data = HEATMAPS[kind]
    name = open_shards(folder)[0].sample_id
    (heatmaps / "part-00000.npz").write_bytes(
        data.replace(b"s0.npy", f"{name}.npy".encode()) if len(name) == 2 else data
    )
    with pytest.raises(DataError, match=r"part-00000\.npz"), memory_below(GIGABYTE):
        open_shards(folder).heatmaps(0)
