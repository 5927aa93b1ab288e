"""Mutual Learning to Adapt (MuLA, ECCV 2018, Fig. 2 and 3) and the rows of its Tables 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from trainer.input_spec import MULA_FEEDING
from trainer.models.adaptation import LearnedKernels, ParameterAdapter, Tailoring, kernel_side
from trainer.models.hourglass import DEPTH, Hourglass, HourglassStem
from trainer.models.layers import Variant, he_initialise
from trainer.models.prediction import ParsingNetwork, Prediction
from trainer.models.vgg import VGG16

Exchange = Literal["none", "add", "multi", "concat", "self", "la-pose", "la-parsing", "mula"]

_TAILORED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"self": ("parsing", "pose"), "la-pose": ("pose",), "la-parsing": ("parsing",), "mula": ("parsing", "pose")}
)
"""Exchange -> the networks whose representation it refines."""

_SELF_KERNEL = 3
"""Side of row Self's static kernels: what the adapter predicts at the papers' inputs of 256."""


@dataclass(frozen=True)
class MuLADesign:
    """A row of Table 1 or 2.

    Attributes:
        encoder: of both networks.
        exchange: what passes between the networks in each stage.
    """

    encoder: Literal["vgg16", "hourglass"]
    exchange: tuple[Exchange, ...]

    @property
    def dynamic(self) -> bool:
        """Kernels are predicted in some stage."""
        return any(kind in ("la-pose", "la-parsing", "mula") for kind in self.exchange)


def _stages(count: int) -> MuLADesign:
    mutual: Exchange = "mula"
    return MuLADesign("hourglass", (mutual,) * count)


_FULL = _stages(5)

MULA_ROWS: Mapping[str, MuLADesign] = MappingProxyType(
    {
        "mula": _FULL,
        "vgg16-fcn": MuLADesign("vgg16", ("none",)),
        "vgg16-fcn-add": MuLADesign("vgg16", ("add",)),
        "vgg16-fcn-multi": MuLADesign("vgg16", ("multi",)),
        "vgg16-fcn-concat": MuLADesign("vgg16", ("concat",)),
        "vgg16-fcn-self": MuLADesign("vgg16", ("self",)),
        "vgg16-fcn-la-pose": MuLADesign("vgg16", ("la-pose",)),
        "vgg16-fcn-la-parsing": MuLADesign("vgg16", ("la-parsing",)),
        "vgg16-fcn-mula": MuLADesign("vgg16", ("mula",)),
        "hg-0s-1u-mula": MuLADesign("hourglass", ("none",)),
        "hg-2x1u": MuLADesign("hourglass", ("none", "none")),
        "hg-2s-1u-mula-1st-stage": MuLADesign("hourglass", ("mula", "none")),
        "hg-2s-1u-mula-2nd-stage": MuLADesign("hourglass", ("none", "mula")),
        **{f"hg-{count}s-1u-mula": _stages(count) for count in range(1, 6)},
    }
)
"""Tables 1 and 2, name -> design; mula is the model of Tables 3 and 4, five hourglass stages.

Row MTL, one network with two heads, stands in trainer.models.multi_task.
"""


class _Network(nn.Module):
    """The parsing or the pose network: per stage an encoder, a classifier and the maps to the next stage's input."""

    def __init__(self, design: MuLADesign, channels: int, outputs: int) -> None:
        super().__init__()
        stages = len(design.exchange)
        self.stem: nn.Module = nn.Identity()
        if design.encoder == "vgg16":
            self.encoders = nn.ModuleList([VGG16(channels, pools=3)])
        else:
            self.stem = HourglassStem(channels)
            self.encoders = nn.ModuleList([Hourglass(channels) for _ in range(stages)])
        classified = [channels * (2 if kind == "concat" else 1) for kind in design.exchange]
        self.classifiers = nn.ModuleList([nn.Conv2d(count, outputs, 1) for count in classified])
        self.map_features = nn.ModuleList([nn.Conv2d(channels, channels, 1) for _ in range(stages - 1)])
        self.map_outputs = nn.ModuleList([nn.Conv2d(outputs, channels, 1) for _ in range(stages - 1)])

    def encode(self, stage: int, fed: Tensor) -> Tensor:
        """F of a stage -> its preliminary representation R (N, C, h, w)."""
        encoded = self.encoders[stage](fed)
        return encoded[-1] if isinstance(encoded, list) else encoded


class MuLA(ParsingNetwork):
    """A parsing and a pose network, stage by stage; each predicts convolution kernels for the other.

    Where text and authors' code differ: the text's next stage sees the refined representation and the predictions
    (Eq. 3), the code's the unrefined one, the predictions and the stage's own input. The code has a ReLU, and with
    hourglasses a norm, behind the dynamic convolution; the text has neither (Eq. 6).
    """

    pose_background = True
    feeding = MULA_FEEDING
    align_corners = True

    def __init__(
        self,
        num_classes: int,
        num_keypoints: int,
        variant: Variant = "official",
        *,
        design: MuLADesign = _FULL,
        channels: int | None = None,
        centroids: bool = False,
    ) -> None:
        """Fresh weights, drawn as in the authors' code (He et al. 2015).

        Args:
            num_classes: part classes with the background.
            num_keypoints: K; the pose maps are K + 1, the background last.
            variant: the paper's text, or the authors' code.
            design: encoders and exchange.
            channels: C of the representations, a multiple of 8; None is the papers' 512 (VGG16) or 256 (hourglass).
            centroids: the pose network also regresses people's centroids, for images of several people (section 4.1).
        """
        super().__init__()
        if channels is None:
            channels = 512 if design.encoder == "vgg16" else 256
        self.design = design
        self.variant = variant
        self.parsing = _Network(design, channels, num_classes)
        self.pose = _Network(design, channels, num_keypoints + 1)
        self.exchanges = nn.ModuleList([_Exchange(kind, design, channels, variant) for kind in design.exchange])
        if centroids:
            inputs = channels * (2 if design.exchange[-1] == "concat" else 1)
            self.centroids: nn.Module | None = nn.Conv2d(inputs, 2 * num_keypoints, 1)
        else:
            self.centroids = None
        he_initialise(self)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> parsing and pose of every stage, each (N, …, H/8, W/8), or /4 with hourglasses.

        Raises:
            ValueError: the input's size does not fit.
        """
        self.check_images(images)
        prediction = Prediction([], pose=[])
        tasks = ((self.parsing, prediction.parsing), (self.pose, prediction.pose))
        fed = [network.stem(images) for network, _ in tasks]
        for stage, exchange in enumerate(self.exchanges):
            plain = [network.encode(stage, inputs) for (network, _), inputs in zip(tasks, fed, strict=True)]
            refined = exchange(*plain)
            for (network, found), representation in zip(tasks, refined, strict=True):
                found.append(network.classifiers[stage](representation))
            if stage + 1 < len(self.exchanges):
                passed = plain if self.variant == "official" else refined
                following = [
                    network.map_features[stage](features) + network.map_outputs[stage](found[-1])
                    for (network, found), features in zip(tasks, passed, strict=True)
                ]
                if self.variant == "official":
                    following = [mapped + inputs for mapped, inputs in zip(following, fed, strict=True)]
                fed = following
        if self.centroids is not None:
            prediction.centroids.append(self.centroids(refined[1]))
        return prediction

    def check_input_size(self, size: tuple[int, int]) -> None:
        """Sides divide by 8 (VGG16) or 64 (hourglass), and the predicted kernels have a middle cell.

        Raises:
            ValueError: a side does not fit; sides that do are named.
        """
        for side in size:
            if not self._fits(side):
                near = [str(other) for other in range(8, side + 513, 8) if self._fits(other)]
                below = sum(int(other) < side for other in near)
                raise ValueError(
                    f"input size: a side of {side} does not fit, {self._requirement()}. "
                    f"Sides near it that do: {', '.join(near[max(below - 2, 0) : below + 2])}"
                )

    def _fits(self, side: int) -> bool:
        stride, divisor = self._strides()
        odd = not self.design.dynamic or kernel_side(side // stride) % 2 == 1
        return side > 0 and side % divisor == 0 and odd

    def _strides(self) -> tuple[int, int]:
        """Input pixels per cell of the maps, and what sides must divide by."""
        return (8, 8) if self.design.encoder == "vgg16" else (4, 4 * 2**DEPTH)

    def _requirement(self) -> str:
        stride, divisor = self._strides()
        kernels = f" and give predicted kernels an odd side, (side / {stride} - 1) // 8 cells"
        return f"it must divide by {divisor}{kernels if self.design.dynamic else ''}"


class _Exchange(nn.Module):
    """What the classifiers see: the representations refined by each other (Eq. 7), or Table 1's direct fusions."""

    def __init__(self, kind: Exchange, design: MuLADesign, channels: int, variant: Variant) -> None:
        super().__init__()
        self.kind = kind
        self.tailoring = nn.ModuleDict()
        for task in _TAILORED.get(kind, ()):
            kernels = LearnedKernels(channels, _SELF_KERNEL) if kind == "self" else ParameterAdapter(channels)
            finish: list[nn.Module] = []
            if variant == "official":
                finish = [nn.BatchNorm2d(channels)] if design.encoder == "hourglass" else []
                finish.append(nn.ReLU(inplace=True))
            self.tailoring[task] = Tailoring(channels, kernels, nn.Sequential(*finish))

    def forward(self, parsing: Tensor, pose: Tensor) -> tuple[Tensor, Tensor]:
        """Preliminary representations R_S and R_J, each (N, C, h, w) -> the refined ones, (N, 2 C, h, w) by concat."""
        if self.kind == "add":
            return parsing + pose, parsing + pose
        if self.kind == "multi":
            return parsing * pose, parsing * pose
        if self.kind == "concat":
            both = torch.cat([parsing, pose], dim=1)
            return both, both
        refined_parsing = self.tailoring["parsing"](parsing, pose) if "parsing" in self.tailoring else parsing
        refined_pose = self.tailoring["pose"](pose, parsing) if "pose" in self.tailoring else pose
        return refined_parsing, refined_pose
