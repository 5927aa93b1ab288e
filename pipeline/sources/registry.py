"""The registry of published data sets, data/sources.yaml: pages, files, mirrors, checksums, terms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints, ValidationError

from pipeline.errors import NOT_YAML, DataError
from pipeline.params import FileName, Section, Splits
from pipeline.sources.files import RemoteFile

Sha1 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class PublishedFile(Section):
    """One file of a published set."""

    name: FileName
    holds: str
    urls: tuple[str, ...] = ()
    splits: Splits | None = Field(None, description="the splits that need it; none: all of them")
    about: str | None = Field(None, description="size in words, where no exact one is published")
    bytes: int | None = Field(None, ge=1)
    sha256: Sha256 | None = None
    sha1: Sha1 | None = None
    md5: Md5 | None = None

    def remote(self) -> RemoteFile:
        """The file as the downloader takes it."""
        known = {"sha256": self.sha256, "sha1": self.sha1, "md5": self.md5}
        return RemoteFile(self.name, self.urls, self.bytes, {name: value for name, value in known.items() if value})


class PublishedSet(Section):
    """A published data set.

    `access` says what licence or sign-up the set needs and what to do when a link asks for one.
    """

    title: str
    page: str
    terms: str
    access: str
    files: tuple[PublishedFile, ...]

    def needed(self, splits: tuple[str, ...]) -> list[PublishedFile]:
        """The files that these splits need."""
        return [file for file in self.files if file.splits is None or set(file.splits) & set(splits)]


class _Registry(Section):
    sets: dict[str, PublishedSet]


def load_registry(path: Path) -> dict[str, PublishedSet]:
    """Name of a layout -> its published set.

    Raises:
        DataError: the file is missing or not of this form.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _Registry.model_validate({"sets": content}).sets
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Restore it from git") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"][1:])
        raise DataError(f"{path}: {place}: {first['msg']}; found {first['input']!r}") from error
    except NOT_YAML as error:
        raise DataError(f"{path}: not readable as YAML: {error}") from error
