"""What do image and shard encodings cost in time and bytes, and which are worth it?

    python benchmarks/encodings.py [--people 60]

One core, drawn people of LIP's layout at twice their size (384 x 256 pixels and more): part masks as PNG of several levels, edge maps as PNG
of one bit, crops as JPEG of several qualities with colour at full and at half resolution, heatmaps as npz of several levels, and
a parquet file of the encoded images and masks with several codecs. The least time of several turns of each, per sample. Every encoding's
pixels are read back: maps must be equal, and of JPEG the mean error is told. What the project uses is marked. Writes
benchmarks/results/encodings.json; half a minute.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import Line, side_by_side, write

from pipeline.datasets.sample.archives import write_archives
from pipeline.images import BITS_LEVEL, JPEG_QUALITY, PNG_LEVEL, decode_image, decode_map
from pipeline.labels import edge_map, gaussian_heatmaps

ROUNDS = 5
CODECS = ("none", "snappy", "zstd")


class Coded(NamedTuple):
    """All samples in one encoding: how to make them, how to read one back, and its mark where it is the project's."""

    encode: Callable[[], list[bytes]]
    decode: Callable[[bytes], np.ndarray]
    ours: bool


def drawn(people: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Images (H, W, 3) and part masks (H, W) uint8 of drawn people, enlarged to about the size of real crops."""
    found: dict[str, list[np.ndarray]] = {".jpg": [], ".png": []}
    with tempfile.TemporaryDirectory() as folder:
        write_archives("lip", Path(folder), {"train": people}, seed=1, workers=1)
        for archive in sorted(Path(folder).glob("*.zip")):
            _collect(zipfile.ZipFile(archive), found)
    images = [cv2.resize(one, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for one in found[".jpg"]]
    return images, [cv2.resize(one, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST) for one in found[".png"]]


def _collect(archive: zipfile.ZipFile, found: Mapping[str, list[np.ndarray]]) -> None:
    for name in sorted(archive.namelist()):
        suffix = Path(name).suffix
        if suffix == ".zip":
            _collect(zipfile.ZipFile(io.BytesIO(archive.read(name))), found)
        elif suffix in found:
            decode = decode_image if suffix == ".jpg" else decode_map
            found[suffix].append(decode(archive.read(name), name))


def png(arrays: list[np.ndarray], options: list[int]) -> Callable[[], list[bytes]]:
    return lambda: [cv2.imencode(".png", array, options)[1].tobytes() for array in arrays]


def jpeg(images: list[np.ndarray], quality: int, sampling: int) -> Callable[[], list[bytes]]:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return lambda: [
        cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes() for image in images
    ]


def npz(maps: list[np.ndarray], level: int) -> Callable[[], list[bytes]]:
    def encode() -> list[bytes]:
        coded = []
        for one in maps:
            buffer = io.BytesIO()
            method = zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
            with (
                zipfile.ZipFile(buffer, "w", method, compresslevel=level or None) as archive,
                archive.open("a.npy", "w") as member,
            ):
                np.lib.format.write_array(member, one)
            coded.append(buffer.getvalue())
        return coded

    return encode


def read_npz(data: bytes) -> np.ndarray:
    array: np.ndarray = np.load(io.BytesIO(data))["a"]
    return array


def measure(name: str, truth: list[np.ndarray], forms: Mapping[str, Coded], exact: bool) -> list[Line]:
    """A line per form: time to write a sample; bytes, time to read and error stand beside it.

    Raises:
        SystemExit: a form that should keep every pixel does not.
    """
    coded = {form: one.encode() for form, one in forms.items()}
    calls: dict[str, Callable[[], object]] = {f"write {form}": one.encode for form, one in forms.items()}
    calls |= {
        f"read {form}": lambda form=form, one=one: [one.decode(data) for data in coded[form]]
        for form, one in forms.items()
    }
    seconds, lines = side_by_side(calls, ROUNDS), []
    for form, one in forms.items():
        errors = [
            float(np.abs(one.decode(data).astype(np.float32) - array).mean())
            for data, array in zip(coded[form], truth, strict=True)
        ]
        if exact and any(errors):
            raise SystemExit(f"{name}, {form}: not the same pixels")
        size = sum(map(len, coded[form])) / len(truth)
        told = f"{size:,.0f} bytes, {1e6 * seconds[f'read {form}'] / len(truth):.0f} us to read"
        told += "" if exact else f", mean error {sum(errors) / len(errors):.2f} of 255"
        lines.append(
            Line(
                f"{name}, {form}{': used' if one.ours else ''}",
                1e6 * seconds[f"write {form}"] / len(truth),
                "us",
                note=told,
            )
        )
    return lines


def parquet_lines(images: list[bytes], masks: list[bytes]) -> list[Line]:
    """What packing encoded images and masks costs."""
    table = pa.table({"image": images, "mask": masks})

    def packed(codec: str) -> bytes:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression=codec, row_group_size=20, write_page_checksum=True)
        return buffer.getvalue()

    seconds = side_by_side({codec: lambda codec=codec: packed(codec) for codec in CODECS}, ROUNDS)
    return [
        Line(
            f"parquet, {codec}{': used' if codec == 'zstd' else ''}",
            1e6 * seconds[codec] / len(images),
            "us",
            note=f"{len(packed(codec)) / len(images):,.0f} bytes",
        )
        for codec in CODECS
    ]


def main() -> None:
    """Draw, measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=60)
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    images, masks = drawn(chosen.people)
    edges = [edge_map(mask) for mask in masks]
    points = np.random.default_rng(1).uniform(0, 384, (len(masks), 16, 2))
    maps = list(gaussian_heatmaps(np.dstack([points, np.full(points.shape[:2], 2)]), (96, 96), dtype=np.float16))
    full, half = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420

    def as_map(data: bytes) -> np.ndarray:
        return decode_map(data, "map")

    def as_image(data: bytes) -> np.ndarray:
        return decode_image(data, "crop")

    lines = measure(
        "part mask as PNG",
        masks,
        {
            f"level {level}": Coded(png(masks, [cv2.IMWRITE_PNG_COMPRESSION, level]), as_map, level == PNG_LEVEL)
            for level in (1, 3, 6, 9)
        },
        exact=True,
    )
    lines += measure(
        "edge map as PNG",
        edges,
        {
            f"one bit, level {level}": Coded(
                png(edges, [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, level]),
                as_map,
                level == BITS_LEVEL,
            )
            for level in (1, 3, 6)
        }
        | {"eight bits, level 3": Coded(png(edges, [cv2.IMWRITE_PNG_COMPRESSION, 3]), as_map, False)},
        exact=True,
    )
    lines += measure(
        "crop as JPEG",
        images,
        {
            f"quality {quality}, colour {name}": Coded(
                jpeg(images, quality, sampling), as_image, quality == JPEG_QUALITY and sampling == full
            )
            for quality in (85, 90, 95)
            for name, sampling in (("whole", full), ("halved", half))
        },
        exact=False,
    )
    lines += measure(
        "heatmaps as npz",
        maps,
        {
            f"deflate level {level}" if level else "stored": Coded(npz(maps, level), read_npz, level == 1)
            for level in (0, 1, 6)
        },
        exact=True,
    )
    lines += parquet_lines(jpeg(images, JPEG_QUALITY, full)(), png(masks, [cv2.IMWRITE_PNG_COMPRESSION, PNG_LEVEL])())
    write("encodings", lines, {"people": len(masks), "pixels": sum(mask.size for mask in masks) / len(masks)})


if __name__ == "__main__":
    main()
