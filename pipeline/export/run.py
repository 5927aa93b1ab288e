"""Export: a data set's samples into a folder in another tool's layout, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pipeline.errors import DataError, ParamsError
from pipeline.export.coco import Coco
from pipeline.export.corrpm import CorrPM
from pipeline.export.folder import Folder
from pipeline.export.mmseg import MMSeg
from pipeline.export.names import Names
from pipeline.export.openseg import OpenSeg
from pipeline.export.pgn import Pgn
from pipeline.export.schp import Schp
from pipeline.export.target import Format, NamedSamples, Target, flip_pairs
from pipeline.export.webdataset import WebDataset
from pipeline.records import Sample
from pipeline.shards.manifest import MANIFEST_NAME, sha256_of
from pipeline.shards.read import Shards
from pipeline.shards.write import remove_leftovers, replace_folder
from pipeline.taxonomy import LABEL_SETS

FORMATS: Mapping[str, type[Format]] = {
    "folder": Folder,
    "coco": Coco,
    "schp": Schp,
    "corrpm": CorrPM,
    "pgn": Pgn,
    "openseg": OpenSeg,
    "mmseg": MMSeg,
    "webdataset": WebDataset,
}
EXPORT_NAME = "export.json"
SAMPLES_NAME = "samples.csv"


def export(splits: Sequence[Shards], form: str, out: Path, progress: Callable[[int], None]) -> dict[str, Any]:
    """Write the samples of some splits of one data set to `out` in the layout `form`.

    Args:
        splits: what `open_shards` gives.
        form: a key of FORMATS.
        out: a new folder, or an empty one.
        progress: told how many more samples are done.

    Returns:
        What export.json holds: labels, splits with their manifests' hashes, and counts.

    Raises:
        ParamsError: `out` is in use, or the format's tool would read these labels wrongly.
        DataError: there are no samples, or one lacks what the format needs or is damaged.
    """
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParamsError(f"--out {out}: is there already and not empty. Name a new folder")
    if not sum(len(shards) for shards in splits):
        raise DataError(f"{splits[0].folder}: no samples to export. Choose another split with --split")
    aside = out.with_name(f".{out.name}.new-{os.getpid()}")
    remove_leftovers(out)
    try:
        aside.mkdir(parents=True)
        about = _fill(aside, out, splits, form, progress)
        replace_folder(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return about


def _fill(
    folder: Path, place: Path, splits: Sequence[Shards], form: str, progress: Callable[[int], None]
) -> dict[str, Any]:
    first = splits[0].manifest
    target = Target(
        folder=folder,
        place=place,
        dataset=first.dataset,
        splits=tuple(shards.manifest.split for shards in splits),
        parts=first.parts or LABEL_SETS["person"],
        keypoints=first.keypoints,
    )
    writer = FORMATS[form](target)
    names, origins = Names(writer.escaped), Counter[str]()
    with (folder / SAMPLES_NAME).open("w", encoding="utf-8", newline="") as table:
        csv.writer(table, lineterminator="\n").writerow(("split", "sample_id", "file"))
        for shards in splits:
            writer.write_split(shards.manifest.split, _named(shards, names, table, origins, progress))
    own = writer.finish()
    about = {
        "format": form,
        "format_version": writer.version,
        "dataset": target.dataset,
        "label_set": {
            "name": target.parts.name,
            "part_names": target.parts.part_names,
            "flip_pairs": flip_pairs(target.parts),
        },
        "keypoint_set": None
        if target.keypoints is None
        else {
            "name": target.keypoints.name,
            "keypoint_names": target.keypoints.keypoint_names,
            "origins": dict(sorted(origins.items())),
        },
        "splits": {
            shards.manifest.split: {
                "samples": len(shards),
                "manifest_sha256": sha256_of(shards.folder / MANIFEST_NAME),
            }
            for shards in splits
        },
        "counts": dict(sorted(target.tally.items())),
        **own,
    }
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    (folder / EXPORT_NAME).write_text(text, encoding="utf-8")
    return about


def _named(
    shards: Shards, names: Names, table: IO[str], origins: Counter[str], progress: Callable[[int], None]
) -> NamedSamples:
    """Each sample with its file stem, written to samples.csv as it passes."""
    rows = csv.writer(table, lineterminator="\n")

    def samples() -> Iterator[tuple[str, Sample]]:
        for sample in shards:
            stem = names.stem(sample.sample_id)
            rows.writerow((sample.split, sample.sample_id, stem))
            origins.update(origin for origin in sample.keypoint_origin if origin)
            yield stem, sample
            progress(1)

    return samples()
