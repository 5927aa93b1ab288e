"""The files that the benchmarks' servers take, in their own forms; whole images at their own size."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from pipeline.errors import DataError, ParamsError
from pipeline.export.names import Names
from pipeline.images import encode_png
from pipeline.params import Params
from pipeline.shards.write import folder_aside, remove_leftovers
from pipeline.taxonomy import KEYPOINT_SETS, KeypointSet, convert_keypoints
from trainer.callbacks import Progress, no_progress
from trainer.engine.device import build_fabric, repeatable
from trainer.evaluate import open_bench
from trainer.protocols.coco import keypoint_scores
from trainer.protocols.images import JudgedImage

_PERSON = 1


def submit(
    params: Params,
    model_file: Path,
    shards_root: Path,
    images_root: Path,
    out: Path,
    progress: Progress = no_progress,
) -> int:
    """Write what the server of `evaluate.protocol` takes for `evaluate.split`, which needs no labels, and nothing else.

    Args:
        params, model_file, shards_root, images_root, progress: as of `evaluate`.
        out: a new or empty folder; it appears whole or not at all.

    Returns:
        The number of images.

    Raises:
        DataError: as of `evaluate`, or an image's name is not what the server takes.
        ParamsError: as of `evaluate`, `out` is not empty, or the model lacks what the server takes.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParamsError(f"{out}: not an empty folder. Name a new one for the submission")
    fabric = build_fabric("32-true", params.executor.model_copy(update={"devices": 1}))
    if fabric.world_size > 1:
        raise ParamsError("--submission: one process writes it. Run it without torchrun")
    with repeatable(params.train.threads):
        bench = open_bench(params, model_file, shards_root, fabric, judged=False)
        out.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(out)
        with folder_aside(out) as aside:
            folder = Path(aside) / "whole"
            folder.mkdir(mode=0o755)
            writer = SUBMISSIONS[params.evaluate.protocol](folder, bench.parser.keypoint_set)
            total = len(bench.samples)
            for done, _ in enumerate(bench.show_images(images_root, writer.add), start=1):
                progress(done, total)
            images = writer.finish()
            if out.exists():
                out.rmdir()
            os.replace(folder, out)
    return images


class Submission:
    """Takes the images one by one and writes them into a folder."""

    def __init__(self, folder: Path, keypoint_set: KeypointSet) -> None:
        """An empty folder, and the model's keypoint set."""
        self.folder = folder
        self.keypoint_set = keypoint_set
        self.images = 0
        self._names = Names()

    def add(self, image: JudgedImage) -> None:
        """The next image."""
        self.images += 1

    def finish(self) -> int:
        """No image comes any more; returns their number."""
        return self.images

    def stem(self, image: JudgedImage) -> str:
        """What its files are called: its id, where a file can be called so."""
        return self._names.stem(image.source.record.sample_id)

    def joints(self, image: JudgedImage, name: str) -> np.ndarray:
        """(N, K, 3) of the keypoint set of that name, x, y in image pixels.

        Raises:
            ParamsError: the model does not find all of its joints.
        """
        target = KEYPOINT_SETS[name]
        missing = [joint for joint in target.keypoint_names if joint not in self.keypoint_set.keypoint_names]
        if missing:
            raise ParamsError(
                f"train.keypoint_set: {self.keypoint_set.name!r} has no {missing[0]}, which the submission needs. Train with "
                f"{name}"
            )
        return convert_keypoints(image.keypoints, self.keypoint_set, target)


class PartMaps(Submission):
    """<id>.png of part ids: ATR and PASCAL-Person-Part, which have no server, in their own form."""

    def add(self, image: JudgedImage) -> None:
        """The next image."""
        super().add(image)
        _write_map(self.folder / f"{self.stem(image)}.png", image.pasted.parts)


class LipFiles(Submission):
    """parsing/<id>.png of part ids; pose.csv of file name and 16 times x, y in whole pixels, without a model's joints none."""

    def __init__(self, folder: Path, keypoint_set: KeypointSet) -> None:
        """See Submission."""
        super().__init__(folder, keypoint_set)
        self._rows: list[list[Any]] = []

    def add(self, image: JudgedImage) -> None:
        """The next image."""
        super().add(image)
        record = image.source.record
        _write_map(self.folder / "parsing" / f"{self.stem(image)}.png", image.pasted.parts)
        if len(image.scores) and image.keypoints.shape[1]:
            points = self.joints(image, "lip16")[int(image.scores.argmax()), :, :2]
            self._rows.append([PurePosixPath(record.path).name, *np.rint(points).astype(int).ravel().tolist()])

    def finish(self) -> int:
        """Writes the joints."""
        if self._rows:
            with (self.folder / "pose.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(self._rows)
        return super().finish()


class CihpFiles(Submission):
    """global_parsing/<id>.png of part ids; instance_parsing/<id>.png of instances, line n of <id>.txt the n-th one's class and
    score."""

    def add(self, image: JudgedImage) -> None:
        """The next image."""
        super().add(image)
        name = self.stem(image)
        _write_map(self.folder / "global_parsing" / f"{name}.png", image.pasted.parts)
        found = image.instances
        if len(found.classes) > np.iinfo(np.uint8).max:
            raise DataError(
                f"{image.source.name}: {len(found.classes)} part instances, and the server's 8-bit map holds 255. Raise "
                "detector.score"
            )
        _write_map(self.folder / "instance_parsing" / f"{name}.png", found.ids.astype(np.uint8))
        lines = (f"{part} {score:.6f}\n" for part, score in zip(found.classes, image.instance_scores, strict=True))
        (self.folder / "instance_parsing" / f"{name}.txt").write_text("".join(lines), encoding="utf-8")


class CocoFile(Submission):
    """keypoints_results.json: COCO's results form, one entry per person."""

    def __init__(self, folder: Path, keypoint_set: KeypointSet) -> None:
        """See Submission."""
        super().__init__(folder, keypoint_set)
        self._file = (folder / "keypoints_results.json").open("w", encoding="utf-8")
        self._file.write("[")
        self._written = 0

    def add(self, image: JudgedImage) -> None:
        """The next image."""
        super().add(image)
        name = image.source.record.sample_id
        if not name.isdecimal():
            raise DataError(f"{image.source.name}: COCO's server takes whole numbers as ids of images")
        scores = keypoint_scores(image)
        for person, score in zip(self.joints(image, "coco17") if len(scores) else (), scores, strict=True):
            triples = [round(float(value), 3) for x, y, _ in person for value in (x, y, 1)]
            entry = {
                "image_id": int(name),
                "category_id": _PERSON,
                "keypoints": triples,
                "score": round(float(score), 6),
            }
            self._file.write((",\n" if self._written else "\n") + json.dumps(entry))
            self._written += 1

    def finish(self) -> int:
        """Closes the list."""
        self._file.write("\n]\n")
        self._file.close()
        return super().finish()


SUBMISSIONS: Mapping[str, type[Submission]] = MappingProxyType(
    {"lip": LipFiles, "atr": PartMaps, "pascal": PartMaps, "cihp": CihpFiles, "coco": CocoFile}
)
"""By the name of the protocol."""


def _write_map(file: Path, ids: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(encode_png(ids))
