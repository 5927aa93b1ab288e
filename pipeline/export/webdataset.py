"""WebDataset: tar shards, a sample's files side by side under one key: <key>.jpg, .mask.png, .edge.png, .people.png, .json.

The reader takes everything before a name's first dot for the key, so keys hold none.
"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

from pipeline.export.files import WEB, edge_png, image_file, mask_png, people_png
from pipeline.export.target import NamedSamples, Target
from pipeline.records import Sample
from pipeline.taxonomy import KeypointSet

_MOST_SAMPLES = 1000
_MOST_BYTES = 128 * 1024 * 1024
"""A tar is closed when it holds this much: its samples are sorted in memory."""


class WebDataset:
    """<split>-000000.tar and on; equal samples give equal bytes."""

    version = 1
    escaped = r"\."

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tars: dict[str, list[dict[str, Any]]] = {}

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """The tars of a split."""
        self._tars[split] = []
        held: list[tuple[str, list[tuple[str, bytes]]]] = []
        size = 0
        for stem, sample in samples:
            files = self._files(sample)
            held.append((stem, files))
            size += sum(len(data) for _, data in files)
            if len(held) >= _MOST_SAMPLES or size >= _MOST_BYTES:
                self._close(split, held)
                held, size = [], 0
        if held:
            self._close(split, held)

    def _files(self, sample: Sample) -> list[tuple[str, bytes]]:
        """(ending, bytes) of a sample's members, in the order of their names."""
        ending, image = image_file(sample, WEB, self._target.tally)
        about = json.dumps(_about(sample, self._target.keypoints), sort_keys=True, ensure_ascii=False).encode()
        maps = {".mask.png": mask_png(sample), ".edge.png": edge_png(sample), ".people.png": people_png(sample)}
        labels = [(name, data) for name, data in maps.items() if data is not None]
        return sorted([(ending, image), (".json", about), *labels])

    def _close(self, split: str, held: list[tuple[str, list[tuple[str, bytes]]]]) -> None:
        name = f"{split}-{len(self._tars[split]):06d}.tar"
        members = [(f"{stem}{ending}", data) for stem, files in sorted(held) for ending, data in files]
        write_tar(self._target.folder / name, members)
        self._tars[split].append({"name": name, "samples": len(held)})

    def finish(self) -> dict[str, Any]:
        """The tars, for export.json."""
        return {"tars": self._tars}


def write_tar(path: Path, members: list[tuple[str, bytes]]) -> None:
    """A tar whose bytes depend on names and contents alone."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)  # owner 0, date 0, mode 0644
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def _about(sample: Sample, keypoints: KeypointSet | None) -> dict[str, Any]:
    """What is no picture."""
    joints = sample.keypoints is not None and keypoints is not None
    return {
        "sample_id": sample.sample_id,
        "source_id": sample.source_id,
        "dataset": sample.dataset,
        "split": sample.split,
        "width": sample.width,
        "height": sample.height,
        "keypoints": sample.keypoints.tolist() if joints and sample.keypoints is not None else None,
        "keypoint_names": list(keypoints.keypoint_names) if joints and keypoints is not None else None,
        "keypoint_origin": list(sample.keypoint_origin),
        "keypoint_confidence": None if sample.keypoint_confidence is None else sample.keypoint_confidence.tolist(),
        "box": sample.box.tolist(),
        "score": float(sample.score),
        "person": sample.person,
        "to_source": sample.to_source.tolist(),
    }
