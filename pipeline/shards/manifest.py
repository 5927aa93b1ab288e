"""The manifest of a folder of shards: which files, how many records, their hashes, what made them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DataError
from pipeline.taxonomy import KeypointSet, LabelSet, keypoint_set, label_set

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class ShardEntry:
    """One shard: file name, number of records, size, SHA-256."""

    name: str
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a split's folder holds.

    Attributes:
        kind: images, crops, edges, pose, heatmaps or samples.
        label_set, keypoint_set: names of the sets; None where there are no such labels.
        parameters: all that decided the shards' content.
        steps: step name -> version.
        links: kind -> relative path of the folder whose shards belong to these one to one, and the hash of its manifest.
        part_names, colours: the label set itself, so that a set of one's own needs no other file; colours where it has some.
        keypoint_names, limbs: the keypoint set itself.
        remarks: what anyone should know who compares runs, shard by shard; in the file only where there are some.
    """

    kind: str
    dataset: str
    split: str
    label_set: str | None
    keypoint_set: str | None
    parameters: dict[str, Any]
    steps: dict[str, int]
    shards: tuple[ShardEntry, ...]
    links: dict[str, dict[str, str]]
    schema_version: int = SCHEMA_VERSION
    part_names: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] | None = None
    keypoint_names: tuple[str, ...] = ()
    limbs: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def records(self) -> int:
        """Records in all shards together."""
        return sum(shard.records for shard in self.shards)

    @property
    def parts(self) -> LabelSet | None:
        """The masks' label set; a manifest that holds no names has a built-in one."""
        if self.label_set is None:
            return None
        return LabelSet(self.label_set, self.part_names, self.colours) if self.part_names else label_set(self.label_set)

    @property
    def keypoints(self) -> KeypointSet | None:
        """The joints' keypoint set; a manifest that holds no names has a built-in one."""
        if self.keypoint_set is None:
            return None
        if not self.keypoint_names:
            return keypoint_set(self.keypoint_set)
        return KeypointSet(self.keypoint_set, self.keypoint_names, self.limbs)

    def write(self, folder: Path) -> None:
        """Write manifest.json into `folder`."""
        content = {**asdict(self), "records": self.records}
        if not self.remarks:
            del content["remarks"]
        text = json.dumps(content, indent=1, sort_keys=True)
        (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a split's folder.

        Raises:
            DataError: there is none, or it is damaged or of another schema.
        """
        path = folder / MANIFEST_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DataError(f"{path}: not found. Run the stage that makes {folder} first") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: no readable JSON ({error}). Run the stage that makes {folder} again") from error
        if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
            raise DataError(f"{path}: schema version is not {SCHEMA_VERSION}. Run the stage that makes {folder} again")
        content.pop("records", None)
        try:
            content["shards"] = tuple(ShardEntry(**shard) for shard in content["shards"])
            strange = next((one.name for one in content["shards"] if Path(str(one.name)).name != one.name), None)
            if strange is not None:
                raise DataError(
                    f"{path}: a shard is called {strange!r}, expected a file name without folders. Run its stage again"
                )
            for name in ("part_names", "keypoint_names", "remarks"):
                content[name] = tuple(content.get(name, ()))
            for name in ("colours", "limbs"):
                pairs = content.get(name, ())
                content[name] = None if pairs is None else tuple(tuple(pair) for pair in pairs)
            return cls(**content)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: fields are missing or unknown ({error}). Run its stage again") from error


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
