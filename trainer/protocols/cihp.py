"""CIHP: pixel scores over whole images, and AP of part instances."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from pipeline.errors import DataError
from pipeline.geometry.paste import PartInstances, part_instances
from pipeline.taxonomy import IGNORE, KeypointSet, LabelSet
from trainer.metrics import PartInstanceAP
from trainer.protocols.base import ImageProtocol
from trainer.protocols.images import JudgedImage
from trainer.scoring import defined

THRESHOLDS = tuple(tenth / 10 for tenth in range(1, 10))
"""IoUs that AP^r_vol is the mean over."""
TOLD = (0.5, 0.6, 0.7)
"""IoUs whose AP^r is told by itself."""


class Cihp(ImageProtocol):
    """Mean IoU over all classes; AP^r at 0.5, 0.6 and 0.7, and its mean over 0.1, 0.2 ... 0.9."""

    RULES: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **ImageProtocol.RULES,
            "apr": "part instances, each true one found once, IoU at least the threshold, a mean over classes that occur; "
            "official_apr as the published scorer: doubles count, IoU above the threshold, an absent class scores 0",
            "apr_score": "the person's score times the mean probability of the part's pixels",
        }
    )

    def __init__(self, label_set: LabelSet, keypoint_set: KeypointSet) -> None:
        """Start with nothing."""
        super().__init__(label_set, keypoint_set)
        self.instances = PartInstanceAP(len(label_set))

    def update(self, image: JudgedImage) -> None:
        """Count one image; see ImageProtocol."""
        super().update(image)
        truth = _true_instances(image)
        judged = image.source.require_parts() != IGNORE
        found = image.instances
        self.instances.update(
            {"ids": np.where(judged, found.ids, 0), "classes": found.classes, "scores": image.instance_scores},
            {"ids": truth.ids, "classes": truth.classes},
        )

    def merge(self, other: Cihp) -> None:
        """Add what another one has counted."""
        super().merge(other)
        self.instances.merge(other.instances)

    def compute(self) -> dict[str, Any]:
        """As PixelScores, with apr_50, apr_60, apr_70, apr_mean and the same by the official rules among the scores."""
        judged = super().compute()
        for name, official in (("apr", False), ("official_apr", True)):
            found = self.instances.compute(THRESHOLDS, official)
            judged["scores"] |= {f"{name}_{limit * 100:.0f}": defined(found["ap"][limit]) for limit in TOLD}
            judged["scores"][f"{name}_mean"] = defined(found["mean"])
        return judged


def _true_instances(image: JudgedImage) -> PartInstances:
    parts, people = image.source.require_parts(), image.source.record.person_ids()
    if people is None:
        if ((parts > 0) & (parts != IGNORE)).any():
            raise DataError(
                f"{image.source.name} has no person ids to judge part instances by. Set evaluate.protocol to pascal, which "
                "does without them, or to lip, which judges crops"
            )
        people = np.zeros_like(parts)
    return part_instances(parts, np.where(people == IGNORE, 0, people))
