"""The teachers: who finds the people, who labels their joints."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.params.section import Count, Fraction, NotNegative, Positive, Section, Threads


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
    threads: Threads = Field(2, description="of one operation on the CPU; another number rounds differently")


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
    threads: Threads = Field(2, description="of one operation on the CPU; another number rounds differently")


class Pose(Section):
    """Who labels the joints of people without annotated ones."""

    backend: Literal["simple_baseline", "keypoint_rcnn", "detectron2"] = "simple_baseline"
    weights: str = Field("sample", description="sample, fit, coco, a file, or an https address")
    config: str | None = Field(
        None, description="of detectron2: a config of its model zoo, or a YAML file", validate_default=True
    )
    min_confidence: Fraction = 0.2
    flip: bool = True
    decoding: Literal["quarter", "dark"] = Field("quarter", description="of simple_baseline's heatmaps")
    judge: int = Field(200, ge=0, description="annotated people of the val split on whom the teacher is judged")
    fit: PoseFit

    @property
    def network(self) -> str:
        """The backend, or the config of detectron2's model."""
        return self.config or self.backend

    @field_validator("weights")
    @classmethod
    def _weights_of_backend(cls, weights: str, info: ValidationInfo) -> str:
        """Weights that there are for the backend."""
        backend = info.data.get("backend")
        if weights == "sample" and backend not in (None, "simple_baseline"):
            raise ValueError("expected coco, a file or an address: the sample weights are of backend simple_baseline")
        if weights == "fit" and backend == "detectron2":
            raise ValueError("expected coco, a file or an address: detectron2's networks are fitted by its own tools")
        return weights

    @field_validator("config")
    @classmethod
    def _config_of_detectron2(cls, config: str | None, info: ValidationInfo) -> str | None:
        """A config with detectron2, and with nothing else."""
        if info.data.get("backend") == "detectron2" and (config is None or not config.endswith(_CONFIG)):
            raise ValueError(
                "expected a Keypoint R-CNN config with backend: detectron2, one of its model zoo such as "
                "COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml, or a file of your own"
            )
        if config is not None and info.data.get("backend") not in (None, "detectron2"):
            raise ValueError("expected null: configs are of backend detectron2")
        return config

    @field_validator("fit")
    @classmethod
    def _fit_of_backend(cls, fit: PoseFit, info: ValidationInfo) -> PoseFit:
        """What is fitted is what runs."""
        backend = info.data.get("backend")
        of_fit = "keypoint_rcnn" if fit.architecture == "keypoint_rcnn" else "simple_baseline"
        if info.data.get("weights") == "fit" and backend not in (None, of_fit):
            raise ValueError(f"architecture {fit.architecture} is of backend {of_fit}, not {backend}")
        return fit
