"""The folder that predictions are written to: a photo at a time, never over foreign files, gone on with after a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pipeline.errors import DataError, ParamsError
from pipeline.shards.write import remove_files_left, write_whole

ABOUT, LIST, COCO, OUTCOMES = "predict.json", "photos.jsonl", "people.json", "outcomes.jsonl"
"""What made the folder; a line per photo that is done; all people in COCO's form; who was not found or left out."""


class ResultFolder:
    """A folder of predictions.

    A photo's line goes into the list when all its files are there, so whatever stands in the list is whole.

    Args:
        folder: new, empty, or one that was made in the same way before.
        about: all that decides what is written, JSON-able.

    Raises:
        ParamsError: the folder holds foreign files, or was made in another way.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        self.folder = folder
        _claim(folder, about)
        self._places: dict[str, tuple[str, int]] = {}
        for line, place in self._lines():
            self._places[line["name"]] = (line["sha256"], place)

    def holds(self, name: str, sha256: str) -> bool:
        """Whether the photo of that name is done, its file having had that hash."""
        return self._places.get(name, ("", 0))[0] == sha256

    def keep(self, name: str, sha256: str, about: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Write what belongs to one photo.

        Args:
            name: of the photo.
            sha256: of its file.
            about: what the list says of it further: `file_name`, `width`, `height`, `people` (COCO's annotations) and
                `outcomes`.
            files: relative path -> bytes.

        Raises:
            DataError: the disk does not take it.
        """
        try:
            for path, data in files.items():
                target = self.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                write_whole(target, data)
            with (self.folder / LIST).open("a", encoding="utf-8") as file:
                place = file.tell()
                file.write(json.dumps({"name": name, "sha256": sha256, **about}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise DataError(
                f"{self.folder}: cannot be written ({error.strerror}). Make room and run it again: it goes on from here"
            ) from error
        self._places[name] = (sha256, place)

    def finish(self, categories: list[dict[str, Any]], description: str) -> dict[str, int]:
        """Put the list in order and write all of it as COCO's JSON; the numbers of photos and of people."""
        with _aside(self.folder / LIST) as target:
            target.writelines(self._ordered())
        with _aside(self.folder / OUTCOMES) as target:
            for line, _ in self._lines():
                for outcome in line["outcomes"]:
                    target.write(json.dumps(outcome, ensure_ascii=False) + "\n")
        with _aside(self.folder / COCO) as target:
            return self._write_coco(target, categories, description)

    def _write_coco(self, target: IO[str], categories: list[dict[str, Any]], description: str) -> dict[str, int]:
        about = {"info": {"description": description}, "licenses": [], "categories": categories}
        target.write(json.dumps(about, ensure_ascii=False)[:-1] + ', "images": [')
        photos = people = 0
        for photos, (line, _) in enumerate(self._lines(), start=1):
            image = {"id": photos, **{key: line[key] for key in ("file_name", "width", "height")}}
            target.write(("\n" if photos == 1 else ",\n") + json.dumps(image, ensure_ascii=False))
        target.write('\n], "annotations": [')
        for number, (line, _) in enumerate(self._lines(), start=1):
            for person in line["people"]:
                people += 1
                target.write(
                    ("\n" if people == 1 else ",\n") + json.dumps({"id": people, "image_id": number, **person})
                )
        target.write("\n]}\n")
        return {"photos": photos, "people": people}

    def _lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Every whole line of the list and where it begins; of a line that a kill cut off, nothing is left."""
        path = self.folder / LIST
        if not path.is_file():
            return
        with path.open("rb") as file:
            place = 0
            for line in file:
                if not line.endswith(b"\n"):
                    break
                yield json.loads(line), place
                place += len(line)

    def _ordered(self) -> Iterator[str]:
        """The last line of every photo, by name."""
        if not self._places:
            return
        with (self.folder / LIST).open("rb") as file:
            for name in sorted(self._places):
                file.seek(self._places[name][1])
                yield file.readline().decode("utf-8")


@contextmanager
def _aside(path: Path) -> Iterator[IO[str]]:
    """A text file that takes its name when it is whole."""
    aside = path.with_name(f".{path.name}")
    try:
        with aside.open("w", encoding="utf-8", newline="\n") as target:
            yield target
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _claim(folder: Path, about: Mapping[str, Any]) -> None:
    """Make the folder ours, or make sure that it is.

    A list that a kill left with half a line is cut after its last whole one.
    """
    if folder.exists() and not folder.is_dir():
        raise ParamsError(f"--out {folder}: is a file. Give a new folder")
    text = json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    remove_files_left(folder)
    if folder.is_dir() and any(folder.iterdir()):
        _compare(folder, json.loads(text))
        path = folder / LIST
        if path.is_file() and (data := path.read_bytes()) and not data.endswith(b"\n"):
            write_whole(path, data[: data.rfind(b"\n") + 1])
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / ABOUT, text.encode())


def _compare(folder: Path, about: Mapping[str, Any]) -> None:
    try:
        before = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ParamsError(
            f"--out {folder}: holds files, and no {ABOUT} of a run before. Give a new or empty folder"
        ) from None
    for key in sorted(about.keys() | before.keys()):
        if about.get(key) != before.get(key):
            raise ParamsError(
                f"--out {folder}: was made with {key} {before.get(key)!r}, now it is {about.get(key)!r}. Give another folder"
            )
