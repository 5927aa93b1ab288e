"""Where data sets come from and what they hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from pipeline.params.quality import Limits
from pipeline.params.section import FileName, KeypointSetName, LabelSetName, Positive, Section, Splits
from pipeline.taxonomy import KeypointSet, LabelSet, keypoint_set, label_set

_DRAWN = ("lip", "cihp", "atr", "pascal", "coco")
"""Layouts in which the sample set can be drawn."""


class SourceFile(Section):
    """One file of a source that lies somewhere else."""

    name: FileName
    urls: Annotated[tuple[str, ...], Field(min_length=1, description="tried in this order")]
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")] | None = None


PLACE, FILES = "<place>", "<files>"
Source = Annotated[
    Annotated[str, Tag(PLACE)] | Annotated[tuple[SourceFile, ...], Field(min_length=1), Tag(FILES)],
    Discriminator(lambda value: FILES if isinstance(value, tuple) else PLACE),
]


class Dataset(Section):
    """One data set: where it comes from and what it holds."""

    source: Source = Field(
        "sample", description="'sample' (drawn), 'published', a local folder or archive, an address, or files"
    )
    layout: Literal["lip", "cihp", "atr", "pascal", "coco", "mhp", "folder", "coco_json", "labelme"] = Field(
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
    limits: Limits | None = Field(None, description="what differs for this set from `quality`")

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


class ArchiveLimits(Section):
    """What an archive may hold before it counts as an attack or a mistake; never changes a result."""

    max_files: int = Field(5_000_000, ge=1, description="in one archive, archives inside it included")
    max_file_mb: int = Field(1024, ge=1, description="of one file, which is read into memory")
    max_total_gb: int = Field(2000, ge=1, description="unpacked, of one archive")
    max_ratio: int = Field(200, ge=1, description="unpacked bytes over packed ones, beyond 100 MB")
    max_depth: int = Field(3, ge=1, description="archives inside archives, the outermost counted")


class Download(Section):
    """How patiently files are downloaded; never changes a result."""

    retries: int = Field(5, ge=0, description="further tries of an address after one that brought nothing new")
    allow_http: bool = Field(False, description="plain http, which anyone on the way can alter")
    timeout_s: Positive = Field(60.0, description="seconds without a byte after which a connection counts as stalled")
