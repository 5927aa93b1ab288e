"""Read params.yaml: every key known, every value of its type, every error naming its key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from pipeline.errors import NOT_YAML, ParamsError
from pipeline.params.datasets import FILES, PLACE, ArchiveLimits, Dataset, Download
from pipeline.params.executor import Executor
from pipeline.params.labels import Crop, Edges, Heatmaps, ShardsSection
from pipeline.params.quality import Limits
from pipeline.params.section import FileName, Section
from pipeline.params.teachers import Detector, Pose
from pipeline.params.training import Evaluate, Train


class Params(Section):
    """The whole of params.yaml."""

    seed: int = Field(ge=0, lt=2**32)
    datasets: dict[FileName, Dataset]
    teacher_datasets: dict[FileName, Dataset]
    executor: Executor = Executor()
    download: Download = Download()
    archives: ArchiveLimits = ArchiveLimits()
    detector: Detector
    pose: Pose
    crop: Crop = Crop()
    quality: Limits = Limits()
    edges: Edges = Edges()
    heatmaps: Heatmaps
    shards: ShardsSection = ShardsSection()
    train: Train
    evaluate: Evaluate = Evaluate()

    @model_validator(mode="after")
    def _names(self) -> Params:
        both = sorted(set(self.datasets) & set(self.teacher_datasets))
        if both:
            raise ValueError(f"{both[0]!r} stands in datasets and in teacher_datasets; give one of them another name")
        return self

    def place(self, name: str) -> str:
        """The place of a data set's section in params.yaml."""
        return f"{'datasets' if name in self.datasets else 'teacher_datasets'}.{name}"

    def dataset(self, name: str) -> Dataset:
        """The data set of that name, parsing or teacher set.

        Raises:
            ParamsError: params.yaml names no such set.
        """
        known = {**self.teacher_datasets, **self.datasets}
        if name not in known:
            raise ParamsError(f"DATASET: {name!r} is not in params.yaml; it has {', '.join(sorted(known))}")
        return known[name]

    def limits(self, name: str) -> Limits:
        """The limits in force for a data set: its own where it gives them, else those of `quality`."""
        own = self.dataset(name).limits
        return self.quality if own is None else self.quality.model_copy(update=own.model_dump(exclude_unset=True))

    def limit_key(self, name: str, limit: str) -> str:
        """The key in params.yaml that sets a limit of a data set."""
        own = self.dataset(name).limits
        return f"{self.place(name)}.limits.{limit}" if own and limit in own.model_fields_set else f"quality.{limit}"


def load_params(path: Path, overrides: tuple[str, ...] = ()) -> Params:
    """Read and check params.yaml.

    Args:
        path: the file.
        overrides: `key.path=value` texts, values read as YAML, applied on top.

    Raises:
        ParamsError: the file is missing or no YAML, a key is unknown, a value is of the wrong type or out of range.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParamsError(f"{path}: not found. Run hpp in the project's folder or give --params FILE") from error
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror}). Give a YAML file with --params") from error
    except NOT_YAML as error:
        raise ParamsError(f"{path}: not readable as YAML: {_one_line(error)}") from error
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: holds {type(content).__name__}, expected sections such as `seed:` and `datasets:`")
    for override in overrides:
        _apply(content, override)
    return check_params(content, str(path))


def check_params(content: dict[str, Any], where: str) -> Params:
    """The content of params.yaml as checked values.

    Args:
        content: sections, as YAML has them.
        where: what they come from, for errors.

    Raises:
        ParamsError: a key is unknown, a value is of the wrong type or out of range.
    """
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{where}: {_first_problem(error)}") from error


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ParamsError(f"--set {override}: expected key.path=value, for instance train.lr=0.01")
    try:
        value = yaml.safe_load(text)
    except NOT_YAML as error:
        raise ParamsError(f"--set {override}: the value is no YAML: {_one_line(error)}") from error
    *parents, last = key.split(".")
    place: Any = content
    for parent in parents:
        place = place.setdefault(parent, {}) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        raise ParamsError(f"--set {override}: {'.'.join(parents)} is no section of params.yaml")
    place[last] = value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _first_problem(error: ValidationError) -> str:
    """The first problem as `key.path: what; found ..., expected ...`, and how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    place = tuple(step for step in first["loc"] if step not in (PLACE, FILES))
    key = ".".join(str(step) for step in place) or "params"
    more = f" ({len(problems) - 1} more after this one)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(place[:-1])
        return f"{key} is not a known key" + (f"; known here are {', '.join(known)}" if known else "") + more
    if first["type"] == "missing":
        return f"{key} is missing{more}"
    found = "" if key == "params" else f"; found {first['input']!r}"
    return f"{key}: {_in_yaml_words(first['msg'])}{found}{more}"


def _in_yaml_words(message: str) -> str:
    message = re.sub(r"valid dictionary or instance of \w+", "section of keys", message.removeprefix("Value error, "))
    return message.replace("valid dictionary", "section of keys").replace("tuple", "list").replace("Tuple", "List")


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys of the section at a place of the params tree; empty where the place is no section."""
    kind: Any = Params
    for step in location:
        fields = _section(kind)
        if isinstance(step, str) and step in fields:
            kind = fields[step].annotation
        elif getattr(kind, "__args__", None):
            kind = kind.__args__[-1]  # the values of a dict of sections
        else:
            return []
    return sorted(_section(kind))


def _section(kind: Any) -> dict[str, Any]:
    """The fields of a section, also of one that may be null."""
    for choice in (kind, *getattr(kind, "__args__", ())):
        if isinstance(choice, type) and issubclass(choice, Section):
            return choice.model_fields
    return {}
