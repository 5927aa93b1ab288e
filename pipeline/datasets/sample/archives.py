"""Writes drawn sample sets as archives in the layouts of the published data sets."""

from __future__ import annotations

import os
import zipfile
import zlib
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Iterator, Mapping, Sequence

import numpy as np

from pipeline.datasets.sample.atr_layout import ATR
from pipeline.datasets.sample.cihp_layout import CIHP
from pipeline.datasets.sample.coco_layout import COCO
from pipeline.datasets.sample.layout import Drawn, Layout, Member
from pipeline.datasets.sample.lip_layout import LIP
from pipeline.datasets.sample.pascal_layout import PASCAL
from pipeline.execution import LocalPool

LAYOUTS: Mapping[str, Layout] = {"lip": LIP, "cihp": CIHP, "atr": ATR, "pascal": PASCAL, "coco": COCO}
_STORED = (".jpg", ".png", ".zip")
_BATCH = 8


def _draw_task(task: tuple[str, int, str, int]) -> Drawn:
    """Draws one image, which depends on the data set's name, the seed, the split and the index alone."""
    dataset, seed, split, index = task
    rng = np.random.default_rng([seed, zlib.crc32(dataset.encode()), zlib.crc32(split.encode()), index])
    return LAYOUTS[dataset].draw(rng, split, index)


def _draw_tasks(tasks: Sequence[tuple[str, int, str, int]]) -> list[Drawn]:
    return [_draw_task(task) for task in tasks]


def _draw_all(tasks: Sequence[tuple[str, int, str, int]], workers: int) -> Iterator[Drawn]:
    """Drawn images in the order of the tasks."""
    parts = [tasks[start : start + _BATCH] for start in range(0, len(tasks), _BATCH)]
    for drawn in LocalPool(workers).run_tasks(_draw_tasks, parts):
        yield from drawn


class _Files:
    """The archives (and plain files) of one set, under temporary names until all of them are complete."""

    def __init__(self, folder: Path, nested: Mapping[str, str]) -> None:
        self._folder = folder
        self._nested = nested
        self._zips: dict[str, zipfile.ZipFile] = {}
        self._names: list[str] = []

    def _part(self, name: str) -> Path:
        return self._folder / f"{name}.part"

    def add(self, member: Member) -> None:
        """Writes a member; members of an archive stand in it in the order of adding."""
        if member.archive not in self._names:
            self._names.append(member.archive)
        if not member.archive.endswith(".zip"):
            self._part(member.archive).write_bytes(member.data)
            return
        if member.archive not in self._zips:
            self._zips[member.archive] = zipfile.ZipFile(self._part(member.archive), "w")
        _write_member(self._zips[member.archive], member.name, member.data)

    def finish(self) -> list[Path]:
        """Closes everything, puts nested archives into their outer ones, gives all files their names."""
        for opened in self._zips.values():
            opened.close()
        for name, inner_name in self._nested.items():
            if name in self._zips:
                inner = self._part(name).read_bytes()
                with zipfile.ZipFile(self._part(name), "w") as outer:
                    _write_member(outer, inner_name, inner)
        for name in self._names:
            os.replace(self._part(name), self._folder / name)
        return [self._folder / name for name in self._names]

    def __enter__(self) -> _Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for opened in self._zips.values():
            with suppress(OSError) if kind else nullcontext():  # a disk that took no member takes no directory either
                opened.close()
        for name in self._names:
            self._part(name).unlink(missing_ok=True)


def _write_member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Adds a file with a fixed date and mode; images and archives are stored as they are."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def _check(dataset: str, images: Mapping[str, int], seed: int, workers: int) -> Layout:
    if dataset not in LAYOUTS:
        raise ValueError(f"dataset: got {dataset!r}, expected one of {', '.join(LAYOUTS)}")
    layout = LAYOUTS[dataset]
    for split, count in images.items():
        if split not in layout.splits:
            raise ValueError(f"images: {dataset} has no split {split!r}, expected {', '.join(layout.splits)}")
        if count < 0:
            raise ValueError(f"images: got {count} for {split!r}, expected 0 or more")
    if seed < 0:
        raise ValueError(f"seed: got {seed}, expected 0 or more")
    if workers < 1:
        raise ValueError(f"workers: got {workers}, expected 1 or more")
    return layout


def write_archives(
    dataset: str,
    folder: Path,
    images: Mapping[str, int],
    seed: int,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Draws a sample set and writes it in the layout of the published data set of that name.

    An image depends on the data set, the seed, its split and its index only: the files are the same for any number
    of workers, and a larger set begins with the images of a smaller one.

    Args:
        dataset: lip, cihp, atr, pascal or coco.
        folder: where the archives are written; made if it is missing.
        images: how many images each split has; splits that are left out are not written.
        seed: 0 or more.
        workers: processes that draw.
        progress: called with the number of images done so far.

    Returns:
        The files, in the order of their first member.

    Raises:
        ValueError: an unknown data set or split, or a number out of range.
    """
    layout = _check(dataset, images, seed, workers)
    folder.mkdir(parents=True, exist_ok=True)
    splits = [split for split in layout.splits if split in images]
    tasks = [(dataset, seed, split, index) for split in splits for index in range(images[split])]
    records: dict[str, list[Any]] = {split: [] for split in splits}
    with _Files(folder, layout.nested) as files:
        for done, (task, drawn) in enumerate(zip(tasks, _draw_all(tasks, workers), strict=True), start=1):
            for member in drawn.members:
                files.add(member)
            records[task[2]].append(drawn.record)
            if progress is not None:
                progress(done)
        for member in layout.close(records):
            files.add(member)
        return files.finish()
