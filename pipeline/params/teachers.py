"""The teachers: who finds the people, who labels their joints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.params.section import Count, Fraction, NotNegative, Positive, Section


class DetectorFit(Section):
    """Fitting of the torchvision network that `detector.network` names."""

    dataset: str = Field(description="people to fit and judge on; any set with person ids or COCO's masks")
    start: str = Field("random", description="random; or what to go on from: coco, a file, an address")
    steps: Count
    batch_size: Count
    lr: Positive
    warmup_steps: int = Field(ge=0)
    weight_decay: NotNegative
    precision: Literal["32-true", "bf16-mixed"] = Field(
        "32-true", description="bf16-mixed: faster where the CPU has AMX"
    )
    threads: Count = Field(2, description="of one operation on the CPU; another number rounds differently")


SAMPLE_DETECTOR = "mask_rcnn_basic"
PUBLISHED_DETECTORS = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")
"""Of torchvision, with weights fitted on COCO."""

_CONFIG = (".yaml", ".yml")


class Detector(Section):
    """Who finds the people."""

    backend: Literal["torchvision", "detectron2", "annotated"] = "torchvision"
    network: str = Field(
        SAMPLE_DETECTOR, description="torchvision: its name; detectron2: a config of its model zoo, or a file.yaml"
    )
    weights: str = Field("sample", description="sample, fit, coco, a file, or an address")
    score: Fraction = 0.5
    mask_nms: Fraction = 0.5
    fit: DetectorFit

    @field_validator("network")
    @classmethod
    def _network_of_backend(cls, network: str, info: ValidationInfo) -> str:
        """A network that the backend has."""
        backend = info.data.get("backend")
        names = (SAMPLE_DETECTOR, *PUBLISHED_DETECTORS)
        if backend == "torchvision" and network not in names:
            raise ValueError(f"expected {', '.join(names[:-1])} or {names[-1]} with backend: torchvision")
        if backend == "detectron2" and not network.endswith(_CONFIG):
            raise ValueError(
                "expected a Mask R-CNN config with backend: detectron2, one of its model zoo such as "
                "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml, or a file of your own"
            )
        return network

    @field_validator("weights")
    @classmethod
    def _weights_of_network(cls, weights: str, info: ValidationInfo) -> str:
        """Weights that there are for the network."""
        network = info.data.get("network")
        if network is None:
            return weights
        if weights == "sample" and network != SAMPLE_DETECTOR:
            raise ValueError(
                f"expected coco, a file or an address: the sample weights are of network {SAMPLE_DETECTOR}"
            )
        if weights == "coco" and network == SAMPLE_DETECTOR:
            raise ValueError(
                f"expected sample, fit or a file: COCO weights are of network {' or '.join(PUBLISHED_DETECTORS)}"
            )
        if weights == "fit" and network.endswith(_CONFIG):
            raise ValueError("expected coco, a file or an address: detectron2's networks are fitted by its own tools")
        return weights


class PoseFit(Section):
    """Fitting of a pose network."""

    dataset: str = Field(description="people to fit and judge on; any set with joints of a built-in keypoint set")
    start: str = Field("random", description="random; or what to go on from: coco, a file, an address")
    architecture: Literal[
        "small",
        "resnet50_256x192",
        "resnet50_384x288",
        "resnet101_256x192",
        "resnet101_384x288",
        "resnet152_256x192",
        "resnet152_384x288",
        "keypoint_rcnn",
    ] = Field("small", description="pipeline.pose.architectures.POSE_CHOICES")
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

    backend: Literal["simple_baseline", "keypoint_rcnn", "detectron2"] = "simple_baseline"
    weights: str = Field("sample", description="sample, fit, coco, a file, or an https address")
    config: str | None = Field(None, description="of detectron2: a config of its model zoo, or a YAML file")
    min_confidence: Fraction = 0.2
    flip: bool = True
    decoding: Literal["quarter", "dark"] = Field("quarter", description="of simple_baseline's heatmaps")
    judge: int = Field(200, ge=0, description="annotated people of the val split on whom the teacher is judged")
    fit: PoseFit
