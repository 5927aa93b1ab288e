"""The teachers: who finds the people, who labels their joints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.params.section import Count, Fraction, NotNegative, Positive, Section


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
