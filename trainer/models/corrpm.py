"""The Correlation Parsing Machine (CorrPM, CVPR 2020, Fig. 2) and the rows of its Table 5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from torch import Tensor, nn

from trainer.models.aspp import ASPP, Decoder
from trainer.models.backbones import build_backbone
from trainer.models.edge_encoder import EdgeEncoder
from trainer.models.layers import Variant, size_of
from trainer.models.nonlocal_block import Concatenation, HeterogeneousNonLocal
from trainer.models.pose_encoder import PoseEncoder
from trainer.models.prediction import ParsingNetwork, Prediction

Factor = Literal["edge", "pose"]


@dataclass(frozen=True)
class CorrPMDesign:
    """A row of Table 5.

    Attributes:
        fusion: how the parsing feature f_p meets the factors' features: not at all, concatenated with them, or
            correlated with them by the heterogeneous non-local block.
        factors: f_b ("edge") and f_k ("pose") in the order of concatenation; one may stand twice (PBB, PKK).
    """

    fusion: Literal["none", "concatenate", "correlate"]
    factors: tuple[Factor, ...] = ()

    def without(self, factor: Factor) -> CorrPMDesign:
        """The design without that branch (Table 6's alpha = 0 or beta = 0)."""
        left = tuple(kept for kept in self.factors if kept != factor)
        return replace(self, factors=left) if left or self.fusion == "correlate" else CorrPMDesign("none")


_FULL = CorrPMDesign("correlate", ("edge", "pose"))

CORRPM_ROWS: Mapping[str, CorrPMDesign] = MappingProxyType(
    {
        "corrpm": _FULL,
        "corrpm-p": CorrPMDesign("none"),
        "corrpm-pp": CorrPMDesign("correlate"),
        "corrpm-p+b": CorrPMDesign("concatenate", ("edge",)),
        "corrpm-p+k": CorrPMDesign("concatenate", ("pose",)),
        "corrpm-p+b+k": CorrPMDesign("concatenate", ("edge", "pose")),
        "corrpm-pb": CorrPMDesign("correlate", ("edge",)),
        "corrpm-pk": CorrPMDesign("correlate", ("pose",)),
        "corrpm-pbb": CorrPMDesign("correlate", ("edge", "edge")),
        "corrpm-pkk": CorrPMDesign("correlate", ("pose", "pose")),
    }
)
"""Table 5, name -> design."""


def without_unweighted(name: str, alpha: float, beta: float) -> str:
    """The row that a row becomes when its edge (alpha = 0) or pose branch (beta = 0) weighs nothing (Table 6).

    So corrpm with alpha = 0 and beta = 70 is corrpm-pk. Without both it is corrpm-pp: the non-local block stays. Names
    of other models pass unchanged.
    """
    if name not in CORRPM_ROWS:
        return name
    design = CORRPM_ROWS[name]
    if alpha == 0:
        design = design.without("edge")
    if beta == 0:
        design = design.without("pose")
    return next(row for row, known in CORRPM_ROWS.items() if known == design)


class CorrPM(ParsingNetwork):
    """Parsing, edge and pose encoders over one backbone; the parsing feature refined by the others' features."""

    def __init__(
        self,
        num_classes: int,
        num_keypoints: int,
        variant: Variant = "official",
        *,
        design: CorrPMDesign = _FULL,
        backbone: str = "resnet101",
        channels: int = 512,
        dilations: tuple[int, ...] = (12, 24, 36),
    ) -> None:
        """Fresh weights.

        Args:
            num_classes: part classes with the background.
            num_keypoints: joints of the pose head.
            variant: the paper's text, or the authors' code.
            design: which branches there are and how they meet.
            backbone: a key of backbones.BACKBONES, or timm/ and a name of timm's.
            channels: C of the features f_p, f_b and f_k (512 in section 4.1); even, and at least 4.
            dilations: of the ASPP; the default suits inputs of 384.
        """
        super().__init__()
        if channels < 4 or channels % 2:  # of 2 the correlation would have 1, which no fused kernel takes
            raise ValueError(f"channels: {channels}, expected an even number from 4")
        self.align_corners = variant == "official"
        self.design = design
        self.backbone = build_backbone(backbone, "three" if variant == "official" else "plain")
        low, middle, high, top = self.backbone.channels
        self.context = ASPP(top, channels, dilations, variant)
        self.decoder = Decoder(low, channels, variant)
        if "edge" in design.factors:
            self.edge_encoder = EdgeEncoder((low, middle, high), channels, variant)
        if "pose" in design.factors:
            self.pose_encoder = PoseEncoder(top, channels, num_keypoints)
        if design.fusion == "correlate":
            self.nonlocal_block = HeterogeneousNonLocal(channels, len(design.factors), variant)
        elif design.fusion == "concatenate":
            self.concatenation = Concatenation(channels, len(design.factors), variant)
        if design.fusion != "none":
            self.coarse = nn.Conv2d(channels, num_classes, 1)
        self.refined = nn.Conv2d(channels, num_classes, 1)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W), fed as the input spec says -> maps of size (H/4, W/4), rounded up.

        Returns:
            parsing = [coarse, refined], edge = [logits], pose = [heatmaps]. Row P has one parsing output; edge and
            pose are empty where the design has no such branch.
        """
        self.check_images(images)
        res2, res3, res4, res5 = self.backbone(images)
        parsing = self.decoder(self.context(res5), res2)
        features: dict[Factor, Tensor] = {}
        edges: list[Tensor] = []
        poses: list[Tensor] = []
        if "edge" in self.design.factors:
            features["edge"], edge_logits = self.edge_encoder((res2, res3, res4))
            edges.append(edge_logits)
        if "pose" in self.design.factors:
            features["pose"], heatmaps = self.pose_encoder(res5, size_of(res2))
            poses.append(heatmaps)
        if self.design.fusion == "none":
            return Prediction([self.refined(parsing)])
        fuse = self.nonlocal_block if self.design.fusion == "correlate" else self.concatenation
        refined = fuse(parsing, [features[factor] for factor in self.design.factors])
        return Prediction([self.coarse(parsing), self.refined(refined)], edges, poses)

    def check_input_size(self, size: tuple[int, int]) -> None:
        """Sides of at least 5: of shorter ones nothing is left to correlate with, once the maps are pooled.

        Raises:
            ValueError: a side is shorter.
        """
        if min(size) < 5:
            raise ValueError(f"input size: a side of {min(size)} does not fit, it must be at least 5")
