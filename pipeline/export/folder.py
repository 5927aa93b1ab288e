"""The plain folder that `layout: folder` reads back: images/, masks/, instances/, lists; with the entry for params.yaml."""

from __future__ import annotations

import json
import shutil
from typing import Any

import yaml

from pipeline.errors import DataError
from pipeline.export.files import image_ending, mask_png, people_png
from pipeline.export.target import NamedSamples, Target
from pipeline.images import encode_png
from pipeline.records import Sample
from pipeline.taxonomy import LABEL_SETS


class Folder:
    """Image bytes and mask ids stay as they are, bit for bit."""

    version = 1
    escaped = ""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._have: dict[str, list[Sample]] = {"masks": [], "instances": []}
        self._lack: dict[str, list[Sample]] = {"masks": [], "instances": []}
        for name in ("images", "masks", "instances"):
            (target.folder / name).mkdir()

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Images, maps and the list of a split."""
        root = self._target.folder
        with (root / f"{split}.txt").open("w", encoding="utf-8", newline="\n") as names:
            for stem, sample in samples:
                name = f"{stem}{self._write_image(stem, sample)}"
                # With its ending: the reader takes a name that ends in .jpg without one for that file's own.
                names.write(f"{name}\n")
                for kind, data in (("masks", mask_png(sample)), ("instances", people_png(sample))):
                    self._note(kind, sample, data is not None)
                    if data is not None:
                        (root / kind / f"{stem}.png").write_bytes(data)

    def _write_image(self, stem: str, sample: Sample) -> str:
        ending, data = image_ending(sample.image), sample.image
        if ending is None:
            self._target.tally["images_encoded_anew"] += 1
            ending, data = ".png", encode_png(sample.decode_image())
        (self._target.folder / "images" / f"{stem}{ending}").write_bytes(data)
        return ending

    def _note(self, kind: str, sample: Sample, there: bool) -> None:
        """Keep the first sample with and the first one without such a map."""
        noted = self._have[kind] if there else self._lack[kind]
        if not noted:
            noted.append(sample)
        self._target.tally[kind if there else f"samples_without_{kind}"] += 1
        if kind == "masks" and self._have[kind] and self._lack[kind]:
            lacking = self._lack[kind][0]
            raise DataError(
                f"{lacking.dataset}/{lacking.split}: sample {lacking.sample_id!r} has no part mask, others have one; layout "
                "folder holds one for each or none. Leave the split out with --split"
            )

    def finish(self) -> dict[str, Any]:
        """Leave out a folder that not every sample has its file in; write the label set and the entry for params.yaml."""
        root = self._target.folder
        for kind in ("masks", "instances"):
            if self._lack[kind] or not self._have[kind]:
                shutil.rmtree(root / kind)
        name = self._write_label_set()
        (root / "entry.yaml").write_text(self._entry(name), encoding="utf-8")
        return {"holds_instances": (root / "instances").is_dir(), "label_set_file": name}

    def _write_label_set(self) -> str:
        """The label set as a YAML file; a built-in one's has a name of its own, which those may not have."""
        parts = self._target.parts
        name = f"{parts.name}-classes.yaml" if parts.name in LABEL_SETS else f"{parts.name}.yaml"
        content: dict[str, Any] = {"names": list(parts.part_names)}
        if parts.colours is not None:
            content["palette"] = [list(colour) for colour in parts.colours]
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
        (self._target.folder / name).write_text(text, encoding="utf-8")
        return name

    def _entry(self, label_set_file: str) -> str:
        parts, place = self._target.parts, self._target.place
        label_set = parts.name if parts.name in LABEL_SETS else str(place / label_set_file)
        # JSON's strings are YAML's, whatever the names hold.
        return (
            "# Goes under `datasets` in params.yaml; the name is free.\n"
            f"{json.dumps(f'{self._target.dataset}-export', ensure_ascii=False)}:\n"
            f"  source: {json.dumps(str(place), ensure_ascii=False)}\n"
            "  layout: folder\n"
            "  people: single\n"
            f"  label_set: {json.dumps(label_set, ensure_ascii=False)}\n"
            "  keypoint_set: null\n"
            f"  splits: [{', '.join(self._target.splits)}]\n"
        )
