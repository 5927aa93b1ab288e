"""Large sample sets in little time: some scenes are drawn, and their bytes repeated under new names as the archives are copied."""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.datasets.sample.archives import write_archives
from pipeline.execution import worker_count

DRAWN = 200
"""Scenes that differ."""


def write_crowd(dataset: str, folder: Path, images: int, drawn: int = DRAWN) -> None:
    """Archives of a train split of LIP or CIHP with so many images, in order of their repetition."""
    with tempfile.TemporaryDirectory() as aside:
        write_archives(dataset, Path(aside), {"train": min(images, drawn)}, seed=1, workers=worker_count(0))
        folder.mkdir(parents=True)
        for archive in sorted(Path(aside).glob("*.zip")):
            (folder / archive.name).write_bytes(_repeated(archive.read_bytes(), images, min(images, drawn)))


def _repeated(archive: bytes, images: int, drawn: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(target, "w") as new:
        pictures: dict[str, list[zipfile.ZipInfo]] = {}
        for info in old.infolist():
            name = PurePosixPath(info.filename)
            data = old.read(info)
            if name.suffix == ".zip":
                new.writestr(info, _repeated(data, images, drawn))
            elif name.suffix in (".txt", ".csv"):
                new.writestr(info, "".join(_lines(data.decode(), images)))
            else:
                pictures.setdefault(str(name.parent), []).append(info)
        for infos in pictures.values():
            infos.sort(key=lambda info: PurePosixPath(info.filename).stem)
            for number in range(images):
                info = infos[number % drawn]
                name = PurePosixPath(info.filename)
                new.writestr(str(name.with_stem(_renamed(name.stem, number // drawn))), old.read(info))
    return target.getvalue()


def _lines(text: str, images: int) -> Iterator[str]:
    """A list's lines, each again and again with other names, as many as there are images; in the order of the pictures."""
    lines = sorted(text.splitlines(), key=_name)
    for number in range(images):
        round_, place = divmod(number, len(lines))
        name = _name(lines[place])
        yield _renamed(name, round_) + lines[place][len(name) :] + "\n"


def _name(line: str) -> str:
    """A line of a list begins with a picture's name, maybe its suffix and joints."""
    return re.split(r"[.,\s]", line, maxsplit=1)[0]


def _renamed(stem: str, round_: int) -> str:
    """Names stay numbers with the digits that a layout wants: the last part counts on."""
    head, digits = re.fullmatch(r"(.*?)(\d+)", stem).groups()  # type: ignore[union-attr]  # every sample's name ends in digits
    return f"{head}{int(digits) + 1_000_000 * round_:0{len(digits)}d}"
