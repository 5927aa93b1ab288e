"""The manifest of a folder of shards: which files, how many records, their hashes, what made them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DataError

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
        label_set, keypoint_set: names in the taxonomy; None where there are no such labels.
        parameters: all that decided the shards' content.
        steps: step name -> version.
        links: kind -> relative path of the folder whose shards belong to these one to one, and the hash of its manifest.
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

    @property
    def records(self) -> int:
        """Records in all shards together."""
        return sum(shard.records for shard in self.shards)

    def write(self, folder: Path) -> None:
        """Write manifest.json into `folder`."""
        text = json.dumps({**asdict(self), "records": self.records}, indent=1, sort_keys=True)
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
        except ValueError as error:
            raise DataError(f"{path}: no readable JSON ({error}). Run the stage that makes {folder} again") from error
        if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
            raise DataError(f"{path}: schema version is not {SCHEMA_VERSION}. Run the stage that makes {folder} again")
        content.pop("records", None)
        try:
            content["shards"] = tuple(ShardEntry(**shard) for shard in content["shards"])
            return cls(**content)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: fields are missing or unknown ({error}). Run its stage again") from error


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
