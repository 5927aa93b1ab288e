"""The parser, how it is trained, and how it is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.params.section import (
    Count,
    Fraction,
    KeypointSetName,
    LabelMap,
    LabelSetName,
    NotNegative,
    Number,
    Positive,
    Section,
    Size,
    Threads,
    unique,
)


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
    centroids: NotNegative = Field(1.0, description="of the ways to centroids; the paper does not tell it")
    edge: Literal["weighted", "plain"] = Field(
        "weighted",
        description="cross entropy with edge and other pixels weighing each other's share of the batch (CorrPM's code), "
        "or all alike (its text)",
    )
    missing_keypoints: Literal["skip", "zero"] = Field(
        "skip", description="maps of keypoints without label weigh nothing, or are zeros to learn (both papers' code)"
    )


class Augment(Section):
    """Random changes of a training sample: colours, then mirror, scale and turn about the input's centre, then a shift.

    CorrPM's code: flip 0.5; rotate_deg 30, rotate_share 0.6, rotate_law normal; scale [0.75, 1.25], scale_law window. Its
    text tells angles up to 60 degrees and the person's scale: rotate_law uniform, scale_law uniform.
    MuLA's text and code: flip 0.5; rotate_deg 40, rotate_share 1, rotate_law uniform; translate_px 40 at an input of 256;
    scale [0.8, 1.5], scale_law uniform, of people whom its code first brings to a height of 234 px (1.171 * 200): of a crop
    that fills the input of 256 it is [0.73, 1.37]. Its code has outside: background.
    Neither changes colours.
    """

    flip: Fraction = 0.5
    rotate_deg: NotNegative = 30.0
    rotate_share: Fraction = 0.6
    rotate_law: Literal["normal", "uniform"] = Field(
        "normal",
        description="angles are normal with deviation rotate_deg, cut at twice that, or uniform up to rotate_deg either way",
    )
    scale: tuple[Positive, Positive] = (0.75, 1.25)
    scale_law: Literal["uniform", "window"] = Field(
        "uniform",
        description="the person's scale is uniform in `scale`; or the window taken out of the image grows by a factor that is "
        "normal about the middle of `scale` and cut at its ends, one deviation off, and the person shrinks by it",
    )
    translate_px: NotNegative = Field(
        0.0, description="shift in input pixels, uniform up to this either way, across and down"
    )
    brightness: Fraction = Field(
        0.0, description="factor uniform in 1 - brightness to 1 + brightness; contrast and saturation too"
    )
    contrast: Fraction = 0.0
    saturation: Fraction = 0.0
    outside: Literal["ignore", "background"] = Field(
        "ignore", description="label of input pixels that the crop does not reach; ignored ones teach nothing"
    )

    @property
    def moves(self) -> bool:
        """Whether a sample's place in the input ever changes."""
        turns = self.rotate_deg > 0 and self.rotate_share > 0
        return self.flip > 0 or turns or self.scale != (1.0, 1.0) or self.translate_px > 0


class Train(Section):
    """The parser and how it is trained."""

    datasets: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(unique)]
    label_set: LabelSetName
    keypoint_set: KeypointSetName
    label_maps: dict[str, LabelMap] = Field(
        default_factory=dict,
        description="a data set's label set -> its class -> the class of `label_set`, or ignore; or the YAML file of such a map",
    )
    model: str = "corrpm"
    variant: Literal["paper", "official"] = "official"
    backbone: str = Field(
        description="resnet18_slim, resnet18, resnet50, resnet101, or timm/ and the name of a feature extractor of timm's"
    )
    backbone_weights: str | None = Field(
        None, description="what the backbone begins with: null (random), imagenet, a file, or its address"
    )
    channels: Annotated[int, Field(ge=2, multiple_of=2)] = Field(
        512, description="of the parsing, edge and pose features"
    )
    dilations: tuple[Count, ...] = Field((12, 24, 36), description="of the ASPP; the default suits inputs of 384")
    centroids: bool = Field(
        False, description="MuLA's pose network also learns the way from each joint to its person's centroid"
    )
    input_size: Size
    epochs: Count
    batch_size: Annotated[
        int, Field(ge=2, description="samples that a step sees, on all devices together; batch norm needs two")
    ]
    accumulate: Count = Field(
        1, description="parts into which each process cuts its share of a batch, where memory is short"
    )
    optimizer: Literal["sgd", "rmsprop", "adamw"] = "sgd"
    lr: Positive
    momentum: Fraction = Field(0.9, description="of sgd")
    weight_decay: NotNegative = 5e-4
    clip_norm: Positive | None = Field(None, description="gradients of a larger norm are brought to this one")
    schedule: Literal["poly", "step", "constant"] = "poly"
    milestones: tuple[Count, ...] = Field((), description="of step: after so many epochs ...")
    factors: tuple[Positive, ...] = Field((), description="... the rate is lr times the factor at the same place")
    warmup_steps: int = Field(0, ge=0, description="steps in which the rate rises linearly to lr")
    freeze_norm: bool = Field(False, description="batch norms keep the statistics and scales that they begin with")
    ema: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        None, description="decay of the weights' moving average, which is validated and published in their place"
    )
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    compile: bool = Field(
        False, description="by torch.compile: faster steps that round differently, after minutes of start"
    )
    threads: Threads = Field(2, description="of one operation on the CPU; another number rounds differently")
    validate_every: Count = Field(1, description="epochs between two validations; the last epoch always has one")
    publish: Literal["last", "best"] = Field(
        "last", description="the weights after the last epoch, or those of the best val_mean_iou"
    )
    loss: Loss = Loss()
    augment: Augment = Augment()
    targets: Literal["drawn", "stored"] = Field(
        "drawn",
        description="edges and heatmaps are drawn from the augmented masks and keypoints, or read from the shards, which needs "
        "crops of input_size and no augmentation that moves them",
    )

    @model_validator(mode="after")
    def _stored_stay(self) -> Train:
        if self.targets == "stored" and self.augment.moves:
            raise ValueError(
                "targets: stored edges and heatmaps fit samples that stay where they are, yet augment moves them: flip "
                f"{self.augment.flip}, rotate_deg {self.augment.rotate_deg} in a share of {self.augment.rotate_share}, scale "
                f"{list(self.augment.scale)}, translate_px {self.augment.translate_px}. Set flip, rotate_share and translate_px "
                "to 0 and scale to [1, 1], or targets to drawn"
            )
        return self

    @model_validator(mode="after")
    def _rates(self) -> Train:
        if len(self.milestones) != len(self.factors):
            raise ValueError(
                f"milestones are {len(self.milestones)} and factors {len(self.factors)}; expected a factor for each"
            )
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones are {list(self.milestones)}, expected epochs that rise")
        if bool(self.milestones) != (self.schedule == "step"):
            raise ValueError("milestones and factors are those of schedule step, which cannot do without")
        return self


class Evaluate(Section):
    """How the parser is judged."""

    protocol: Literal["lip", "atr", "cihp", "pascal", "coco"] = "lip"
    joints: Literal["crops", "images"] = Field(
        "crops",
        description="of pascal: found in each person's crop; or in the whole image, grouped by the centroids that they point to",
    )
    split: Literal["val", "test"] = "val"
    flip: bool = False
    scales: Annotated[
        tuple[Annotated[Number, Field(gt=0, le=10)], ...],
        Field(min_length=1, description="of the input, all looked at"),
    ] = (1.0,)

    @model_validator(mode="after")
    def _joints_of_protocol(self) -> Evaluate:
        if self.joints == "images" and self.protocol != "pascal":
            raise ValueError(f"joints: images is of protocol pascal, not of {self.protocol}; set joints to crops")
        return self
