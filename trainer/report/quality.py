"""What makes a sample worth a second look: the gallery's filter by quality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """What is known of a sample's labels.

    Attributes:
        worst_tenth: whether its prediction is in the tenth of the lowest mean IoU.
        joints: joints that it has, of `joints_of`; None where joints are not known at all.
        confidence: mean over the joints that the teacher found; None where it found none.
        score: the detector's; 1 for annotated people.
        parts: classes in its mask, without the background; None where it has no mask.
        ignored: share of its pixels.
    """

    worst_tenth: bool
    joints: int | None
    joints_of: int
    confidence: float | None
    score: float
    parts: int | None
    ignored: float


FEW_JOINTS, UNSURE_JOINTS, UNSURE_PERSON, MUCH_IGNORED, FEW_PARTS = 0.5, 0.5, 0.8, 0.1, 3

FLAGS: dict[str, tuple[str, Callable[[Facts], bool]]] = {
    "worst": ("predictions: the worst tenth", lambda facts: facts.worst_tenth),
    "joints": (
        "fewer than half of the joints",
        lambda facts: facts.joints is not None and facts.joints < FEW_JOINTS * facts.joints_of,
    ),
    "unsure": (
        f"joints by an unsure teacher (confidence below {UNSURE_JOINTS:g})",
        lambda facts: facts.confidence is not None and facts.confidence < UNSURE_JOINTS,
    ),
    "person": (f"people by an unsure detector (score below {UNSURE_PERSON:g})", lambda facts: facts.score < UNSURE_PERSON),
    "parts": (f"fewer than {FEW_PARTS} parts", lambda facts: facts.parts is not None and facts.parts < FEW_PARTS),
    "ignored": (f"more than {100 * MUCH_IGNORED:g} % of the pixels ignored", lambda facts: facts.ignored > MUCH_IGNORED),
}  # fmt: skip
"""Flag -> what the filter calls it, and who has it."""


def flags(facts: Facts) -> list[str]:
    """The flags of a sample, in the filter's order."""
    return [flag for flag, (_, holds) in FLAGS.items() if holds(facts)]
