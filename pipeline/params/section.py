"""What a section of params.yaml is, and the kinds of values that sections share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipeline.taxonomy import keypoint_set, label_set, read_label_map


def _exponent(value: Any) -> Any:
    """YAML reads 1e-4, written without a point, as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError("expected an odd number of pixels")
    return value


def _known_label_set(name: str) -> str:
    label_set(name)
    return name


def _known_keypoint_set(name: str) -> str:
    keypoint_set(name)
    return name


def _map_of_file(value: Any) -> Any:
    """A map, or the path of its YAML file."""
    return read_label_map(Path(value)) if isinstance(value, str) else value


def _plain_name(name: str) -> str:
    if not name or name.startswith(".") or set(name) & set("/\\\0"):
        raise ValueError("expected a file name without folders")
    return name


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, refused where one stands there twice."""
    if len(set(names)) != len(names):
        raise ValueError("a name stands there twice")
    return names


Number = Annotated[float, BeforeValidator(_exponent), Field(le=1e30)]
"""Far from where a float32 ends."""
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Threads = Annotated[int, Field(ge=1, le=256)]
"""More than a machine can start end the process without a word."""
Odd = Annotated[Count, AfterValidator(_odd)]
Size = tuple[Count, Count]
"""(height, width)."""
Splits = Annotated[tuple[Literal["train", "val", "test"], ...], Field(min_length=1), AfterValidator(unique)]
FileName = Annotated[str, AfterValidator(_plain_name)]
LabelSetName = Annotated[str, AfterValidator(_known_label_set)]
LabelMap = Annotated[dict[str, str], BeforeValidator(_map_of_file)]
KeypointSetName = Annotated[str, AfterValidator(_known_keypoint_set)]


class Section(BaseModel):
    """A section of params.yaml: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, content: Any) -> Any:
        """YAML's lists are this module's tuples."""
        if not isinstance(content, dict):
            return content
        return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
