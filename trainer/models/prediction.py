"""What every model of this package returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Prediction:
    """Outputs of a model in the order of supervision, the last of each list being the answer.

    Attributes:
        parsing: logits (N, num_classes, h, w).
        edge: logits (N, 2, h, w); empty where the model has no edge head.
        pose: heatmaps (N, K, h, w); empty where the model has no pose head.
    """

    parsing: list[Tensor]
    edge: list[Tensor] = field(default_factory=list)
    pose: list[Tensor] = field(default_factory=list)
