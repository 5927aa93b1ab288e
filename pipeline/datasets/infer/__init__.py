"""Look at a folder, a COCO JSON or labelme files and tell the entry of params.yaml that reads them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.datasets.folder import KINDS
from pipeline.datasets.infer.coco_json import infer_coco_json
from pipeline.datasets.infer.folder import infer_folder
from pipeline.datasets.infer.found import Inferred
from pipeline.datasets.infer.labelme import infer_labelme
from pipeline.datasets.infer.published import infer_published, published_layout
from pipeline.datasets.layout import ReaderOptions
from pipeline.datasets.lists import IMAGE_ENDINGS
from pipeline.datasets.registry import LAYOUTS
from pipeline.errors import DataError
from pipeline.sources.archives import Archives, Member
from pipeline.sources.local import LocalSource

_JSON_FOLDERS = ("annotations", "annotation", "labels")
"""Folders that hold a set's JSON beside the folders of its photos."""

__all__ = ["Inferred", "infer_dataset", "source_of"]


def source_of(place: Path) -> Path:
    """The folder or archive that a place given by the user means: for a COCO JSON, the folder that holds it and its photos.

    Raises:
        DataError: there is nothing at the place.
    """
    if not place.exists():
        raise DataError(f"{place}: no such file or folder. Give a folder of photos, an archive, or a COCO JSON")
    if place.suffix.lower() != ".json":
        return place
    names = {str(image.get("file_name")).replace("\\", "/") for image in _coco_content(place)["images"]}
    above = [place.parent.parent] if place.parent.name.lower() in _JSON_FOLDERS else []
    for folder in (place.parent, *above):
        if any((folder / name).is_file() for name in names):
            return folder
        known = {PurePosixPath(name).name for name in names}
        if any(path.name in known for path in folder.rglob("*")):
            return folder
    raise DataError(
        f"{place}: none of its {len(names)} photos lies in {place.parent} or the folder above. Put them there"
    )


def _coco_content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: no readable JSON ({error}). Export it again") from error
    if not _is_coco(content):
        raise DataError(
            f"{file}: no COCO JSON, which has images, annotations and categories. Give the set's folder instead"
        )
    return dict(content)


def _is_coco(content: Any) -> bool:
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list) for key in ("images", "annotations", "categories")
    )


def infer_dataset(
    place: Path, name: str, seed: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> Inferred:
    """The entry for what lies at a place, tried with its reader.

    Args:
        place: a folder, an archive, or a COCO JSON.
        name: of the data set to be.
        seed: of the splits that are drawn.
        progress: told how many files are looked into, of how many.

    Raises:
        DataError: nothing is known there, it is of several kinds, or its reader cannot list it.
    """
    archives = LocalSource(source_of(place))
    inferred = _infer(archives, place, name, progress)
    options = ReaderOptions(
        seed=seed,
        splits=inferred.splits,
        annotations=inferred.annotations,
        people=inferred.people,
        label_set=inferred.parts,
        num_keypoints=None if inferred.joints is None else len(inferred.joints),
    )
    for split in inferred.splits:
        LAYOUTS[inferred.layout].items(archives, split, options)
    return inferred


def _infer(archives: Archives, place: Path, name: str, progress: Callable[[int, int], None]) -> Inferred:
    layout = published_layout(archives)
    if layout is not None:
        return infer_published(archives, layout)
    tables, has_labelme = _json_files(archives, place if place.suffix.lower() == ".json" else None)
    folders = {step for member in archives.members for step in PurePosixPath(member.path).parent.parts}
    kinds = {
        "COCO JSON": bool(tables),
        "labelme JSON": has_labelme,
        "a folder masks/": "masks" in folders,
    }
    present = [kind for kind, there in kinds.items() if there]
    if len(present) > 1:
        raise DataError(
            f"{archives.folder}: holds {present[0]} and {present[1]}, which both tell the parts. Take one of them away"
        )
    if tables:
        return infer_coco_json(tables, name)
    if has_labelme:
        return infer_labelme(archives, name)
    if KINDS[0] in folders:
        return infer_folder(archives, name, progress)
    raise DataError(f"{archives.folder}: {_what_is_there(archives)}")


def _json_files(archives: Archives, chosen: Path | None) -> tuple[dict[Member, dict[str, Any]], bool]:
    """COCO tables, and whether there are labelme files; of COCO tables only the chosen one, where one is."""
    tables: dict[Member, dict[str, Any]] = {}
    has_labelme = False
    for member in archives.members:
        if not member.path.lower().endswith(".json"):
            continue
        try:
            content = json.loads(archives.read(member))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{member.name}: no readable JSON ({error}). Export it again, or take it away") from error
        if _is_coco(content) and (chosen is None or archives.folder / member.path == chosen):
            tables[member] = content
        elif chosen is None and isinstance(content, dict) and isinstance(content.get("shapes"), list):
            has_labelme = True
    return tables, has_labelme


def _what_is_there(archives: Archives) -> str:
    """Why nothing is known of a source, and what to do."""
    photos = [member for member in archives.members if member.path.lower().endswith(IMAGE_ENDINGS)]
    if not photos:
        return "no photos there. Give a folder with images/, and masks/, COCO JSON or labelme JSON if there are any"
    return (
        f"{len(photos)} photos, such as {photos[0].path}, but no folder images/, no COCO JSON and no labelme JSON. "
        "Move the photos into images/, and their masks, if there are any, into masks/"
    )
