"""params.yaml as checked types: every key known, every value of its type, every error naming its key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)

from pipeline.errors import ParamsError
from pipeline.taxonomy import KeypointSet, LabelSet, keypoint_set, label_set


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


def _plain_name(name: str) -> str:
    if not name or name.startswith(".") or set(name) & set("/\\\0"):
        raise ValueError("expected a file name without folders")
    return name


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("a name stands there twice")
    return names


Number = Annotated[float, BeforeValidator(_exponent)]
Positive = Annotated[Number, Field(gt=0)]
NotNegative = Annotated[Number, Field(ge=0)]
Fraction = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Size = tuple[Count, Count]
"""(height, width)."""
_DRAWN = ("lip", "cihp", "atr", "pascal", "coco")
"""Layouts in which the sample set can be drawn."""
Splits = Annotated[tuple[Literal["train", "val", "test"], ...], Field(min_length=1), AfterValidator(_unique)]
FileName = Annotated[str, AfterValidator(_plain_name)]
LabelSetName = Annotated[str, AfterValidator(_known_label_set)]
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


class Limits(Section):
    """What a source may hold before a stage refuses it."""

    max_rejects: int = Field(0, ge=0, description="records that may be rejected before a stage fails")


class SourceFile(Section):
    """One file of a source that lies somewhere else."""

    name: FileName
    urls: Annotated[tuple[str, ...], Field(min_length=1, description="tried in this order")]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")] | None = None


_PLACE, _FILES = "<place>", "<files>"
Source = Annotated[
    Annotated[str, Tag(_PLACE)] | Annotated[tuple[SourceFile, ...], Field(min_length=1), Tag(_FILES)],
    Discriminator(lambda value: _FILES if isinstance(value, tuple) else _PLACE),
]


class Dataset(Section):
    """One data set: where it comes from and what it holds."""

    source: Source = Field(
        "sample", description="'sample' (drawn), 'published', a local folder or archive, an address, or files"
    )
    layout: Literal["lip", "cihp", "atr", "pascal", "coco", "mhp", "folder", "coco_json"] = Field(
        description="the reader"
    )
    annotations: dict[Literal["train", "val", "test"], str] = Field(
        default_factory=dict, description="the JSON file of each split, for layout coco_json"
    )
    sha256: dict[str, str] = Field(default_factory=dict, description="archive name -> SHA-256 that it must have")
    images: dict[Literal["train", "val", "test"], Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict, description="images to draw per split, for source 'sample'"
    )
    splits: Splits = ("train", "val")
    people: Literal["single", "many"] = "many"
    label_set: LabelSetName
    keypoint_set: KeypointSetName | None = Field(
        None, description="the annotated keypoints; none where the set has no joints"
    )
    limits: Limits | None = Field(None, description="this set's own limits, in place of `quality`")

    @model_validator(mode="after")
    def _layout(self) -> Dataset:
        if self.source == "sample" and self.layout not in _DRAWN:
            raise ValueError(
                f"source: 'sample' draws {', '.join(_DRAWN)}; layout {self.layout!r} needs the folder of its files"
            )
        missing = [split for split in self.splits if split not in self.annotations]
        if self.layout == "coco_json" and missing:
            raise ValueError(f"annotations: has no {missing[0]}; layout 'coco_json' needs the JSON file of every split")
        if self.layout != "coco_json" and self.annotations:
            raise ValueError(f"annotations: layout {self.layout!r} takes none; its files have names of their own")
        return self

    @property
    def parts(self) -> LabelSet:
        """The label set that `label_set` names."""
        return label_set(self.label_set)

    @property
    def keypoints(self) -> KeypointSet | None:
        """The keypoint set that `keypoint_set` names."""
        return None if self.keypoint_set is None else keypoint_set(self.keypoint_set)

    @property
    def source_text(self) -> str:
        """The source in one line: as it stands in params.yaml, or the names of its files."""
        return self.source if isinstance(self.source, str) else ", ".join(file.name for file in self.source)


class Download(Section):
    """How patiently files are downloaded; never changes a result."""

    retries: int = Field(5, ge=0, description="further tries of an address after one that brought nothing new")
    allow_http: bool = Field(False, description="plain http, which anyone on the way can alter")
    timeout_s: Positive = Field(60.0, description="seconds without a byte after which a connection counts as stalled")


class Executor(Section):
    """How shards are worked on; never changes a result."""

    backend: Literal["local"] = "local"
    workers: int = Field(0, ge=0, description="processes; 0 is one per core")
    loader_workers: int = Field(
        0, ge=0, description="processes that decode and augment for training; 0 is none beside it"
    )


class DetectorFit(Section):
    """Fitting of the small Mask R-CNN."""

    dataset: str
    steps: Count
    batch_size: Count
    lr: Positive
    warmup_steps: int = Field(ge=0)
    weight_decay: NotNegative
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="bf16-mixed: faster where the CPU has AMX"
    )
    threads: Count = Field(2, description="of one operation on the CPU; another number rounds differently")


class Detector(Section):
    """Who finds the people."""

    backend: Literal["torchvision", "annotated"] = "torchvision"
    weights: str = Field("sample", description="sample, fit, or a file")
    score: Fraction = 0.5
    mask_nms: Fraction = 0.5
    fit: DetectorFit


class PoseFit(Section):
    """Fitting of the small Simple Baseline."""

    dataset: str
    steps: Count
    batch_size: Count
    lr: Positive
    warmup_steps: int = Field(ge=0)
    weight_decay: NotNegative
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="bf16-mixed: faster where the CPU has AMX"
    )
    threads: Count = Field(2, description="of one operation on the CPU; another number rounds differently")


class Pose(Section):
    """Who labels the joints of people without annotated ones."""

    backend: Literal["simple_baseline"] = "simple_baseline"
    weights: str = Field("sample", description="sample, fit, or a file")
    min_confidence: Fraction = 0.2
    flip: bool = True
    judge: int = Field(200, ge=0, description="annotated people of the val split on whom the teacher is judged")
    fit: PoseFit


class Crop(Section):
    """How people are cut out."""

    others: Literal["black", "keep"] = "black"
    others_label: Literal[0, 255] | None = Field(None, description="none: 0 with black, 255 with keep")
    min_area: int = Field(0, ge=0, description="people of fewer visible pixels are left out, and counted")
    expand: NotNegative = Field(0.1, description="margin around the box, as a share of its sides")


class Edges(Section):
    """Edge maps."""

    width: Annotated[Count, AfterValidator(_odd)] = 3
    between_people: bool = Field(False, description="also mark borders between people inside a crop")


class Heatmaps(Section):
    """Gaussian heatmaps."""

    size: Size
    stride: Count = 4
    sigma: Positive
    sigma_space: Literal["cells", "input"] | None = None
    convention: Literal["corrpm", "mula", "exact"] = "corrpm"
    compress: bool = True


class ShardsSection(Section):
    """How records are packed."""

    records_per_shard: Count = 200
    row_group: Count = 50


class Loss(Section):
    """Weights of the loss, CorrPM Eq. 4: L = refined L_p2 + coarse L_p + alpha L_b + beta L_k.

    Table 2's row without L_p is coarse = 0; alpha = 0 or beta = 0 removes CorrPM's branch (Table 6). Of models with
    several stages, coarse weighs the parsing of all but the last, beta the pose of all. MuLA's code has
    refined = coarse = 0.01 and beta = 1, its text (Eq. 4) refined = coarse = 1 and a beta that it does not tell.
    """

    alpha: NotNegative = 2.0
    beta: NotNegative = 70.0
    refined: NotNegative = 1.0
    coarse: NotNegative = 1.0
    missing_keypoints: Literal["skip", "zero"] = Field(
        "skip", description="maps of keypoints without label weigh nothing, or are zeros to learn (both papers' code)"
    )


class Augment(Section):
    """Random changes of a training sample."""

    flip: Fraction = 0.5
    rotate_deg: NotNegative = 30.0
    rotate_share: Fraction = 0.6
    scale: tuple[Positive, Positive] = (0.75, 1.25)


class Train(Section):
    """The parser and how it is trained."""

    datasets: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_unique)]
    label_set: LabelSetName
    keypoint_set: KeypointSetName
    label_maps: dict[str, dict[str, str]] = Field(
        default_factory=dict,
        description="a data set's label set -> its class -> the class of `label_set`, or ignore",
    )
    model: str = "corrpm"
    variant: Literal["paper", "official"] = "official"
    backbone: str
    channels: Annotated[int, Field(ge=2, multiple_of=2)] = Field(
        512, description="of the parsing, edge and pose features"
    )
    dilations: tuple[Count, ...] = Field((12, 24, 36), description="of the ASPP; the default suits inputs of 384")
    input_size: Size
    epochs: Count
    batch_size: Annotated[int, Field(ge=2, description="batch norm needs two samples")]
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: Positive
    momentum: Fraction = 0.9
    weight_decay: NotNegative = 5e-4
    schedule: Literal["poly", "constant"] = "poly"
    warmup_steps: int = Field(0, ge=0, description="steps in which the rate rises linearly to lr")
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    threads: Count = Field(2, description="of one operation on the CPU; another number rounds differently")
    validate_every: Count = Field(1, description="epochs between two validations; the last epoch always has one")
    loss: Loss = Loss()
    augment: Augment = Augment()


class Evaluate(Section):
    """How the parser is judged."""

    protocol: Literal["lip"] = "lip"
    split: Literal["val", "test"] = "val"
    flip: bool = False
    scales: tuple[Positive, ...] = (1.0,)


class Params(Section):
    """The whole of params.yaml."""

    seed: int = Field(ge=0)
    datasets: dict[str, Dataset]
    teacher_datasets: dict[str, Dataset]
    executor: Executor = Executor()
    download: Download = Download()
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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: not readable as YAML: {_one_line(error)}") from error
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: holds {type(content).__name__}, expected sections such as `seed:` and `datasets:`")
    for override in overrides:
        _apply(content, override)
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise ParamsError(f"{path}: {_first_problem(error)}") from error


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ParamsError(f"--set {override}: expected key.path=value, for instance train.lr=0.01")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
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
    place = tuple(step for step in first["loc"] if step not in (_PLACE, _FILES))
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
